#!/usr/bin/env bash
# A Postfix of its own, in the foreground: the mail server behind Postern in a trial system.
# usage: downstream.sh FOLDER ADDRESS PORT DELIVERED   (POSTFIX_EXTRA in the environment: further lines of main.cf)
# Takes mail for any recipient and writes each message, byte for byte with CRLF line ends, to one file in DELIVERED. All else it keeps in FOLDER.
# Its unprivileged daemons reach their files relative to the queue folder, so FOLDER and DELIVERED may lie below a folder that only root can
# enter, as long as others may pass through the folder that holds both (mode 0711).
set -euo pipefail

folder=$(readlink -m "$1")
address=$2
port=$3
delivered=$(readlink -m "$4")
config=$folder/config
queue=$folder/queue
daemons=$(postconf -d -h daemon_directory)

mkdir -p "$config" "$queue/deliver" "$queue/deliver/unfinished" "$folder/data" "$delivered"
chown postfix "$folder/data"
chown nobody "$delivered" "$queue/deliver/unfinished"
relative=$(realpath --relative-to="$queue" "$delivered")

cat > "$queue/deliver/deliver.sh" <<SCRIPT
#!/bin/sh
# One message from standard input to one file. Exit status 75 (EX_TEMPFAIL) lets Postfix try again.
umask 022
name=\$(date +%Y%m%dT%H%M%S).\$1.\$\$
cat > "deliver/unfinished/\$name" && sync "deliver/unfinished/\$name" && mv "deliver/unfinished/\$name" "$relative/\$name" || exit 75
SCRIPT

cat > "$config/main.cf" <<CONFIG
compatibility_level = 3.6
queue_directory = $queue
data_directory = ../data
command_directory = $(postconf -d -h command_directory)
daemon_directory = $daemons
mail_owner = postfix
setgid_group = postdrop
inet_interfaces = $address
inet_protocols = all
myhostname = downstream.example.com
mydestination =
mynetworks = 127.0.0.0/8, [::1]/128
alias_maps =
alias_database =
local_recipient_maps =
biff = no
smtpd_banner = \$myhostname ESMTP
smtpd_peername_lookup = no
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
smtpd_timeout = 300s
in_flow_delay = 0
message_size_limit = 52428800
disable_vrfy_command = yes
default_transport = file:files
relay_transport = file:files
local_transport = file:files
virtual_transport = file:files
file_destination_recipient_limit = 1000
maillog_file = $folder/mail.log
maillog_file_prefixes = $folder
local_header_rewrite_clients =
always_add_missing_headers = no
${POSTFIX_EXTRA:-}
CONFIG

cat > "$config/master.cf" <<CONFIG
$port      inet  n       -       n       -       -       smtpd
pickup     unix  n       -       n       60      1       pickup
cleanup    unix  n       -       n       -       0       cleanup
qmgr       unix  n       -       n       300     1       qmgr
rewrite    unix  -       -       n       -       -       trivial-rewrite
bounce     unix  -       -       n       -       0       bounce
defer      unix  -       -       n       -       0       bounce
trace      unix  -       -       n       -       0       bounce
verify     unix  -       -       n       -       1       verify
flush      unix  n       -       n       1000?   0       flush
proxymap   unix  -       -       n       -       -       proxymap
showq      unix  n       -       n       -       -       showq
error      unix  -       -       n       -       -       error
retry      unix  -       -       n       -       -       error
discard    unix  -       -       n       -       -       discard
anvil      unix  -       -       n       -       1       anvil
scache     unix  -       -       n       -       1       scache
tlsmgr     unix  -       -       n       1000?   1       tlsmgr
postlog    unix-dgram n  -       n       -       1       postlogd
file       unix  -       n       n       -       4       pipe
  flags= eol=\r\n user=nobody argv=/bin/sh deliver/deliver.sh \${queue_id}
CONFIG

postfix -c "$config" check
exec "$daemons/master" -c "$config" -d
