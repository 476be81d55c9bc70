ln -s plain tree/to-file
ln -s dir tree/to-dir
ln -s /absolute/nowhere tree/dangling
ln -s ../tree/dir/in tree/dir/relative
ln tree/plain tree/hard-one
ln tree/plain tree/dir/hard-two
