mkdir tree/empty
chmod 0700 tree/sub/deeper
chmod 0640 tree/sub/a
chmod 0777 tree/empty
