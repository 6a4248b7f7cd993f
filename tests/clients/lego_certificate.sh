#!/usr/bin/env bash
# lego, which has no setting for an endpoint, gets a certificate for a name and its wildcard: a test server of ACME (pebble)
# sets two DNS-01 challenges, and asks the DNS port for them.
#
# unshare -n -m bash lego_certificate.sh SERVER: in namespaces of its own, SERVER being fiftythree. There the name
# route53.amazonaws.com leads to that server, and lego believes the certificate authority that is made here.
set -euo pipefail
server=$1
cd "$(mktemp -d)"
trap 'kill $(jobs -p) 2>/dev/null; rm -rf "$PWD"' EXIT
ip link set lo up

# A certificate authority, and a certificate for the two servers of HTTPS.
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 7 -subj '/CN=lab' -keyout ca.key -out ca.pem 2>/dev/null
openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj '/CN=lab' -keyout server.key -out server.csr 2>/dev/null
openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 7 -out server.pem \
    -extfile <(echo 'subjectAltName = DNS:route53.amazonaws.com, DNS:acme.test') 2>/dev/null

# The server is the resolver too: it has the names of the API and of pebble.
mkdir zones
for name in route53.amazonaws.com acme.test; do
    printf "name = '%s'\n[[record]]\nname = '@'\ntype = 'A'\nttl = 60\nvalues = ['127.0.0.1']\n" "$name" >"zones/$name.toml"
done
echo "name = 'lego.test'" >zones/lego.test.toml
cat >fiftythree.toml <<'TOML'
[dns]
listen = ['127.0.0.1:53']
[zones]
directory = 'zones'
[admin]
listen = 'off'
[api]
listen = ['127.0.0.1:443']
# lego waits after each change, so that each is seen below.
insync_delay = '1s'
tls_certificate = 'server.pem'
tls_key = 'server.key'
TOML
echo 'nameserver 127.0.0.1' >resolv.conf
mount --bind resolv.conf /etc/resolv.conf
FIFTYTHREE_CONFIG=$PWD/fiftythree.toml "$server" serve --in-memory >serve.log 2>&1 &
ask() { dig +tries=1 +time=2 "$@"; }
for try in $(seq 100); do ask +short route53.amazonaws.com A | grep -q 127.0.0.1 && break; sleep 0.1; done

cat >pebble.json <<'JSON'
{"pebble": {"listenAddress": "127.0.0.1:14000", "managementListenAddress": "127.0.0.1:15000", "certificate": "server.pem",
 "privateKey": "server.key", "httpPort": 80, "tlsPort": 443}}
JSON
PEBBLE_VA_NOSLEEP=1 PEBBLE_WFE_NONCEREJECT=0 pebble -config pebble.json -dnsserver 127.0.0.1:53 >pebble.log 2>&1 &
for try in $(seq 100); do (: </dev/tcp/127.0.0.1/14000) 2>/dev/null && break; sleep 0.1; done
challenge=_acme-challenge.lego.test
while :; do ask +short $challenge TXT | sort | tr '\n' ' '; echo; sleep 0.05; done >seen &

# Another setting of the machine must not matter.
unset AWS_CA_BUNDLE SSL_CERT_DIR
export SSL_CERT_FILE=$PWD/ca.pem LEGO_CA_CERTIFICATES=$PWD/ca.pem
export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_REGION=us-east-1
lego --server https://acme.test:14000/dir --accept-tos --email you@lego.test --dns route53 \
    --domains lego.test --domains '*.lego.test' run >lego.log 2>&1 || { cat lego.log serve.log pebble.log; exit 1; }
openssl x509 -in .lego/certificates/lego.test.crt -noout -ext subjectAltName | grep -F 'DNS:*.lego.test'
# The record had one value, then two, and is gone.
grep -qE '^"[^"]+" $' seen && grep -qE '^"[^"]+" "[^"]+" $' seen || { echo 'the record was not seen:'; sort -u seen; cat lego.log; exit 1; }
ask $challenge TXT | grep -q 'status: NXDOMAIN' || { echo 'the record is still there'; cat lego.log; exit 1; }
lego --version
echo 'all steps done'
