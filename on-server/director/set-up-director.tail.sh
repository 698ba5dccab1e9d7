
export DIRECTOR_SPEC
node director.js configure --spec env:DIRECTOR_SPEC --folder .
echo "director installed: $SERVER_FOLDER/director.js"
printf '{"step":"set-up-director","outcome":"ready"}\n'
