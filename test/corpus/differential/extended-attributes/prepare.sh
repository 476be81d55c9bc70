setfattr -n user.colour -v blue tree/file
mkdir tree/sub; setfattr -n user.shape -v round tree/sub
setfattr -n security.capability -v 0x0100000200040000000000000000000000000000 tree/file
