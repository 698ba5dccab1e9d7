
node director.js configure --spec "$DIRECTOR_SPEC" --folder .
echo "the director is on this machine: $SERVER_FOLDER/director.js"
printf '{"step":"set-up-director","outcome":"ready"}\n'
