#!/usr/bin/env bash
# A whole trial system on this machine: a Postfix to receive what passes, postern-edge, postern-control, and a sample list.
# Runs until Ctrl-C or SIGTERM, or until one of the three ends by itself, and then leaves nothing running. Called by ./dev up.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
root=$(readlink -f "$here/../..")
bin=${POSTERN_BIN:-$root/build/release/bin}

state=${POSTERN_STATE:-$root/state}
smtp=${POSTERN_SMTP:-127.0.0.1:2025}
http=${POSTERN_HTTP:-127.0.0.1:8025}
downstream=${POSTERN_DOWNSTREAM:-127.0.0.1:2026}
dpdk=
transport=sockets
# Over a port of its own: whose network this machine's kernel is in, as a client, by the other end of the TAP device,
# which has the namespace's name.
namespace=${POSTERN_NAMESPACE:-postern-up}
smtp6=2001:db8::1

usage() {
    cat <<TEXT
usage: ./dev up [--dpdk [--namespace NAME]] [--state FOLDER] [--smtp ADDRESS:PORT] [--http ADDRESS:PORT] [--downstream ADDRESS:PORT]

  --state FOLDER       where everything is kept (POSTERN_STATE; default ./state); it may hold other files
  --smtp               where the edge listens (POSTERN_SMTP; default 127.0.0.1:2025)
  --http               the API and status page, on a loopback address (POSTERN_HTTP; default 127.0.0.1:8025)
  --downstream         the mail server behind it (POSTERN_DOWNSTREAM; default 127.0.0.1:2026)
  --dpdk               SMTP on a port of Postern's own (DPDK, net_tap) with its own TCP, at 192.0.2.1:25 and [2001:db8::1]:25. The
                       client is this machine's kernel in a network namespace, which is made for it and goes with it. What
                       postern-board doctor finds is shown first
  --namespace          its name, and that of the TAP device, at most 15 characters (POSTERN_NAMESPACE; default postern-up)

Prints 'ready' on a line of its own when all answers. Ctrl-C or SIGTERM stops it. A second start on the same state goes on with its lists.
The state folder is made passable for other users (mode 0711 at least): edge and mail server run unprivileged.
TEXT
}

die() { printf './dev up: %s\n' "$*" >&2; exit 1; }

while [[ $# -gt 0 ]]; do
    case $1 in
        --help | -h) usage; exit 0 ;;
        --dpdk)
            dpdk=yes
            transport=dpdk
            smtp=192.0.2.1:25
            shift
            ;;
        --state | --smtp | --http | --downstream | --namespace)
            [[ $# -ge 2 ]] || die "$1 needs a value; see ./dev up --help"
            declare "${1#--}=$2"
            shift 2
            ;;
        *) die "there is no option '$1'; see ./dev up --help" ;;
    esac
done
for place in smtp http downstream; do
    [[ ${!place} =~ ^([0-9.]+):([0-9]+)$ ]] || die "--$place ${!place}: write an IPv4 address and a port, as 127.0.0.1:2025"
done
[[ $namespace =~ ^[A-Za-z][A-Za-z0-9-]{0,14}$ ]] || die "--namespace $namespace: write at most 15 letters, digits and dashes"
[[ $(id -u) == 0 ]] || die "the Postfix behind the trial system needs root to start; run it as root"

mkdir -p "$state"
state=$(readlink -f "$state")
chmod o+x "$state"
mkdir -p "$state"/{edge,tables,control,run,log,downstream,delivered}
chmod 0755 "$state"/{edge,run}
# Control writes table files, the edge's group may read them: the folder hands its group on.
chgrp nogroup "$state/tables"
chmod 2750 "$state/tables"
exec 9> "$state/run/up.lock"
# A moment of patience: a command of a start that was just killed may still hold it.
flock -w 2 9 || die "another ./dev up is running on $state; stop it, or give --state another folder"
if [[ -n $dpdk ]]; then
    mkdir -p /run/lock
    exec 8> "/run/lock/$namespace.lock"
    flock -w 2 8 || die "another ./dev up --dpdk has the network namespace $namespace; stop it, or give --namespace another name"
fi

# What runs: name -> process id. Each is a session of its own, so that a Ctrl-C at the terminal reaches this script alone and
# everything is ended in order, by its own id.
declare -A running=()

start() {
    local name=$1
    shift
    setsid "$@" >> "$state/log/$name.log" 2>&1 8>&- 9>&- &
    running[$name]=$!
    echo $! > "$state/run/$name.pid"
}

alive() { kill -0 "${running[$1]}" 2>/dev/null; }

stop() {
    local name=$1 pid=${running[$1]:-}
    [[ -n $pid ]] || return 0
    kill -TERM "$pid" 2>/dev/null || true
    for _ in $(seq 150); do
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.1
    done
    kill -KILL "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
    rm -f "$state/run/$name.pid"
    unset "running[$name]"
}

stop_all() {
    trap '' INT TERM
    for name in follow control edge downstream; do
        stop "$name"
    done
    [[ -z $dpdk ]] || ip netns del "$namespace" 2> /dev/null || true
}

# A start that was killed (kill -9) may have left its children: end those that the pid files name, if they are still ours.
end_leftovers() {
    local file pid
    for file in "$state"/run/*.pid; do
        [[ -e $file ]] || continue
        pid=$(cat "$file")
        if [[ $pid =~ ^[0-9]+$ ]] && tr '\0' ' ' < "/proc/$pid/cmdline" 2>/dev/null | grep -qF "$state"; then
            echo "ending $(basename "$file" .pid) (process $pid), left over from a start that was killed" >&2
            running[leftover]=$pid
            stop leftover
        fi
        rm -f "$file"
    done
}

port_is_free() {
    ! (exec 3<> "/dev/tcp/${1%:*}/${1##*:}") 2>/dev/null
}

# until_true SECONDS NAME WORDS COMMAND…: waits until the command succeeds; ends everything if NAME ended or time is up.
until_true() {
    local seconds=$1 name=$2 words=$3
    shift 3
    local end=$((SECONDS + seconds))
    until "$@" 2>/dev/null; do
        if ! alive "$name"; then
            tail -n 15 "$state/log/$name.log" >&2
            die "$name ended while starting; its log is $state/log/$name.log"
        fi
        [[ $SECONDS -lt $end ]] || { tail -n 15 "$state/log/$name.log" >&2; die "$words: not within $seconds s; see $state/log"; }
        sleep 0.1
    done
}

# The reply to RCPT for an address, by a dialogue with the edge itself.
reply_for() {
    local line code=
    exec 3<> "/dev/tcp/${smtp%:*}/${smtp##*:}"
    for command in '' 'EHLO up.example' 'MAIL FROM:<up@elsewhere.example>' "RCPT TO:<$1>"; do
        [[ -z $command ]] || printf '%s\r\n' "$command" >&3
        while read -r -t 10 line <&3; do
            code=${line:0:3}
            [[ ${line:3:1} == - ]] || break
        done
    done
    printf 'QUIT\r\n' >&3
    exec 3>&-
    echo "$code"
}

greets() { (exec 3<> "/dev/tcp/${smtp%:*}/${smtp##*:}" && read -r -t 5 line <&3 && [[ $line == 220* ]]); }

# as_client FUNCTION WORD…: one of the two above, where the edge's clients are.
client=()
as_client() { "${client[@]}" bash -c "smtp=$smtp; $(declare -f "$1"); \"\$@\"" client "$@"; }

answers() { [[ $(as_client reply_for "$1") == "$2" ]]; }
edge_answers() { as_client greets; }
control_answers() { curl -fsS -o /dev/null "http://$http/healthz"; }
downstream_answers() { (exec 3<> "/dev/tcp/${downstream%:*}/${downstream##*:}" && read -r -t 5 line <&3 && [[ $line == 220* ]]); }

ctl() { "$bin/posternctl" --url "http://$http" --token-file "$state/control/admin.token" "$@"; }

write_configuration() {
    cat > "$state/edge.toml" <<TOML
# Written by ./dev up at each start. dataplane/edge/edge.toml says what each key does.
[edge]
name = "postern.example.com"
user = "nobody"
state = "edge"
tables = "tables"
socket = "run/edge.sock"
transport = "$transport"

[[listener]]
address = "${smtp%:*}"
port = ${smtp##*:}

[limits]
connections_per_source = 20000

# The mail server behind is on this machine.
[egress]
allowed = ["127.0.0.0/8", "::1"]
TOML
    [[ -z $dpdk ]] || cat >> "$state/edge.toml" <<TOML

[[listener]]
address = "$smtp6"
port = ${smtp##*:}

[port]
device = "net_tap0,iface=$namespace"
mac = "02:00:00:00:00:01"
addresses = ["${smtp%:*}/24", "$smtp6/64"]
TOML
    cat > "$state/control.toml" <<TOML
# Written by ./dev up at each start. control/daemon/control.toml says what each key does.
[control]
state = "control"
tables = "tables"
edges = ["run/edge.sock"]

[api]
address = "${http%:*}"
port = ${http##*:}

# An inbound server that leads back here would be a loop.
[probe]
own_names = ["postern.example.com"]
own_listeners = ["$smtp"]

# Mail server, directory and webhooks of a trial are on this machine.
[egress]
allowed = ["127.0.0.0/8", "::1"]
TOML
}

# The sample: example.com with its list and mail server, enforced. Left alone where the state has the domain already.
load_sample() {
    if ctl domain show example.com > /dev/null 2>&1; then
        ctl inbound set example.com "$downstream" > /dev/null
        ctl inbound confirm example.com > /dev/null
        return
    fi
    ctl domain add example.com > /dev/null
    ctl inbound set example.com "$downstream" > /dev/null
    ctl inbound confirm example.com > /dev/null
    ctl import "$here/sample.csv" --domain example.com --yes > /dev/null
    ctl domain mode example.com enforce > /dev/null
}

# What is wrong with this machine for a port of Postern's own; only what keeps the edge from starting ends it here.
see_doctor() {
    local found status=0
    found=$("$bin/postern-board" doctor --config "$state/edge.toml" 2>&1) || status=$?
    printf 'postern-board doctor, %s\n' "$found" >&2
    [[ $status == 0 ]] || die "this machine is not ready for --dpdk; the commands behind 'mend' above put it right"
}

# The kernel's end of the TAP device, once the edge has made it, in a namespace of its own.
make_namespace() {
    ip netns del "$namespace" 2> /dev/null || true
    ip netns add "$namespace"
    client=(ip netns exec "$namespace")
}
attach_client() {
    # Not before the edge has finished with it, which it shows by its socket.
    [[ -S $state/run/edge.sock ]] && ip link set "$namespace" netns "$namespace" &&
        "${client[@]}" ip addr add 192.0.2.9/24 dev "$namespace" &&
        "${client[@]}" ip -6 addr add 2001:db8::9/64 dev "$namespace" nodad &&
        "${client[@]}" ip link set "$namespace" up
}

end_leftovers
places=(smtp http downstream)
[[ -z $dpdk ]] || places=(http downstream)
for place in "${places[@]}"; do
    port_is_free "${!place}" || die "${!place} is in use; give --$place another address and port"
done
trap 'stop_all' EXIT
trap 'echo; echo "stopping" >&2; exit 0' INT TERM

write_configuration
[[ -z $dpdk ]] || see_doctor
start downstream "$here/downstream.sh" "$state/downstream" "${downstream%:*}" "${downstream##*:}" "$state/delivered"
[[ -z $dpdk ]] || make_namespace
rm -f "$state/run/edge.sock"
start edge "$bin/postern-edge" --config "$state/edge.toml"
[[ -z $dpdk ]] || until_true 30 edge "the edge makes the device $namespace" attach_client
until_true 30 edge "the edge answers on $smtp" edge_answers
start control "$bin/postern-control" --config "$state/control.toml"
until_true 30 control "control answers on http://$http" control_answers
until_true 30 downstream "the mail server answers on $downstream" downstream_answers
load_sample
until_true 30 edge "alice@example.com is accepted" answers alice@example.com 250
until_true 30 edge "nobody@example.com is rejected" answers nobody@example.com 550

inside=${client[*]:+${client[*]} }
six=
[[ -z $dpdk ]] || six="  the same over IPv6:    printf 'Subject: hello\r\n\r\nhello\r\n' | ${inside}curl -sS 'smtp://[$smtp6]:${smtp##*:}' --mail-from you@elsewhere.example --mail-rcpt alice@example.com -T -
"
also=
[[ -z $dpdk ]] || also=" and [$smtp6]:${smtp##*:}, for clients in the network namespace $namespace"
command="$bin/posternctl --url http://$http --token-file $state/control/admin.token"
cat <<TEXT

Postern runs.
  SMTP            $smtp$also
  API and status  http://$http/          token: $state/control/admin.token
  mail server     $downstream (Postfix); each message it takes is a file in $state/delivered/
  state and logs  $state, $state/log/

To try, in another terminal:
  a valid recipient:     printf 'Subject: hello\r\n\r\nhello\r\n' | ${inside}curl -sS smtp://$smtp --mail-from you@elsewhere.example --mail-rcpt alice@example.com -T - && ls $state/delivered
  a stranger:            printf 'Subject: hello\r\n\r\nhello\r\n' | ${inside}curl -sSv smtp://$smtp --mail-from you@elsewhere.example --mail-rcpt nobody@example.com -T - 2>&1 | grep '^< 550'
${six}  an import:             printf 'email\nerin@example.com\n' > more.csv && $command import more.csv --domain example.com --yes

ready
TEXT

setsid tail --pid=$$ -n 0 -q -F "$state"/log/{edge,control}.log "$state/downstream/mail.log" 2> /dev/null 8>&- 9>&- &
running[follow]=$!
while alive edge && alive control && alive downstream; do
    sleep 0.5
done
for name in edge control downstream; do
    alive "$name" || echo "./dev up: $name ended by itself; its log is $state/log/$name.log" >&2
done
exit 1
