mkdir -p made/dir
echo one > made/one
echo two > made/dir/two
ln -s one made/link
ln made/one made/hard
chmod 0604 made/dir/two
chmod 4755 made/one
touch -d @1400000000 made/one made/dir/two made/dir made
touch -h -d @1400000000 made/link
tar -C made --sort=name --owner=7 --group=8 -cf plain.tar one dir link hard
tar -C made --sort=name --owner=7 --group=8 -czf packed.tar.gz one dir
tar -C made --sort=name --owner=7 --group=8 -cjf packed.tar.bz2 one dir
tar -C made --sort=name --owner=7 --group=8 -cJf packed.tar.xz one dir
rm -r made
echo 'just text' | gzip -n > not-an-archive.gz
echo notes > notes.txt
