#!/bin/sh
# Starts one homeserver for Complement. Runs at every start of the container, also on data of an earlier start.
set -eu
cd /srv

# Complement gives its certificate authority, new for each run, and expects a certificate signed by it.
authority=/complement/ca
openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes \
    -subj "/CN=$SERVER_NAME" -keyout tls.key -out tls.csr 2>/dev/null
printf 'subjectAltName = DNS:%s\nextendedKeyUsage = serverAuth\n' "$SERVER_NAME" > tls.ext
openssl x509 -req -in tls.csr -CA "$authority/ca.crt" -CAkey "$authority/ca.key" -set_serial "0x$(openssl rand -hex 8)" \
    -days 2 -extfile tls.ext -out tls.crt 2>/dev/null

# Other homeservers and Complement's own mock servers show certificates of the same authority.
export SSL_CERT_FILE="$authority/ca.crt"

mkdir -p /complement/appservice
sed "s/@SERVER_NAME@/$SERVER_NAME/g" parvis.toml.template > parvis.toml
exec /usr/local/bin/parvis serve --config parvis.toml
