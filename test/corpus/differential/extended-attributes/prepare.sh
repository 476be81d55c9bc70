setfattr -n user.colour -v blue tree/file
setfattr -n user.shape -v round tree
setfattr -n security.capability -v 0x0100000200040000000000000000000000000000 tree/file
