chmod 4755 tree/suid
chmod 1770 tree
