read -r made < /made.txt
echo "hello, $NAME: $made"
