mkdir tree
cd tree
touch 'with space' "$(printf 'latin\351')" "$(printf 'new\nline')" 'ünïcode' '*star' '.wh.decoy.txt' "$(head -c 240 /dev/zero | tr '\0' n)"
rm .wh.decoy.txt
long=$(head -c 90 /dev/zero | tr '\0' d)
mkdir -p "$long/$long/$long"
touch "$long/$long/$long/file"
