# servers.sh - an SSH server and a WebDAV server on loopback, each in a throw-away folder.  Sourced.
#
#   folder=$(net_folder)           made for the servers' user; net_stop FOLDER ends all that runs in it and removes it
#   sshd_start "$folder"           sets SSHD_PORT; keys: client_key (and a stranger's: other_key), known_hosts
#   nginx_start "$folder" [dav|plain]   sets NGINX_PORT (http) and NGINX_TLS_PORT (https, ca.pem); user and password
#                                  "backup" / "s3cr3t ü"; plain has PUT and no PROPFIND
#
# Both serve FOLDER/files.  NET_FSIZE=BLOCKS (of 512 bytes) in the environment limits every file a server writes,
# as a full disk would.  As root the servers run as the system user postgres: sshd then lets nobody else in.
# shellcheck shell=sh
NET_PASSWORD='s3cr3t ü'

net_as_user() (
	cd /
	trap '' XFSZ # a write past the limit is to fail, not to end the server
	[ -z "${NET_FSIZE:-}" ] || ulimit -f "$NET_FSIZE"
	if [ "$(id -u)" -eq 0 ]; then
		exec setpriv --reuid=postgres --regid=postgres --clear-groups -- "$@"
	fi
	exec "$@"
)

# net_serve FOLDER COMMAND...: in the background; net_stop ends it.
net_serve() {
	net_where=$1
	shift
	# shellcheck disable=SC2016 # for the inner shell
	net_as_user sh -c 'echo $$ >>"$0/pids"; exec "$@"' "$net_where" "$@" >>"$net_where/out.log" 2>&1 3>&- 4>&- &
}

net_user() { if [ "$(id -u)" -eq 0 ]; then echo postgres; else id -un; fi; }

net_folder() {
	net_dir=$(mktemp -d /tmp/ripcord-net-XXXXXX)
	chmod 755 "$net_dir"
	[ "$(id -u)" -ne 0 ] || chown postgres "$net_dir"
	net_as_user mkdir "$net_dir/files"
	echo "$net_dir"
}

# Ports are tried, not searched for: between a search and the start another test may take one.
net_port() { echo $((33000 + $(od -An -N2 -tu2 /dev/urandom) % 20000)); }

# net_await PID COMMAND...: until the server answers; fails when it has ended.
net_await() {
	net_pid=$1
	shift
	for net_wait in $(seq 50); do
		kill -0 "$net_pid" 2>/dev/null || return 1
		! "$@" >/dev/null 2>&1 || return 0
		sleep 0.1
	done
	echo "waited $net_wait times in vain for: $*" >&2
	return 1
}

sshd_start() {
	net_key() { net_as_user ssh-keygen -q -t ed25519 -N "$3" -C ripcord-test -f "$1/$2"; }
	[ -f "$1/host_key" ] || {
		net_key "$1" host_key ''
		net_key "$1" new_host_key ''
		net_key "$1" client_key ''
		net_key "$1" other_key ''
		net_key "$1" locked_key 'open sesame'
		cat "$1/client_key.pub" "$1/locked_key.pub" >"$1/authorized_keys"
		chmod 644 "$1/authorized_keys"
		chmod 600 "$1"/*_key
	}
	net_tries=0
	while [ $net_tries -lt 8 ]; do
		SSHD_PORT=$(net_port)
		cat >"$1/sshd_config" <<-END
			Port $SSHD_PORT
			ListenAddress 127.0.0.1
			HostKey $1/${SSHD_HOST_KEY:-host_key}
			PidFile none
			AuthorizedKeysFile $1/authorized_keys
			StrictModes no
			UsePAM no
			PasswordAuthentication yes
			MaxStartups 100
			Subsystem sftp internal-sftp
		END
		net_serve "$1" /usr/sbin/sshd -D -e -f "$1/sshd_config"
		if net_await $! ssh-keyscan -T 2 -p "$SSHD_PORT" 127.0.0.1; then
			[ -f "$1/known_hosts" ] || printf '[127.0.0.1]:%s %s\n' "$SSHD_PORT" "$(cut -d' ' -f1,2 "$1/host_key.pub")" >"$1/known_hosts"
			return 0
		fi
		net_tries=$((net_tries + 1))
	done
	cat "$1/out.log" >&2
	return 1
}

net_certificate() {
	net_as_user openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
		-subj /CN=localhost -addext "subjectAltName=DNS:localhost,IP:127.0.0.1" \
		-keyout "$1/tls_key.pem" -out "$1/ca.pem" 2>"$1/openssl.log"
}

nginx_config() {
	cat <<-END
		load_module modules/ngx_http_dav_ext_module.so;
		daemon off;
		worker_processes 1;
		pid $1/nginx.pid;
		error_log $1/nginx.log;
		events { worker_connections 64; }
		http {
			access_log $1/access.log;
			client_max_body_size 0;
			client_body_temp_path $1/files/.body;
			proxy_temp_path $1/temp;
			fastcgi_temp_path $1/temp;
			uwsgi_temp_path $1/temp;
			scgi_temp_path $1/temp;
			dav_ext_lock_zone zone=locks:1m;
			server {
				listen 127.0.0.1:$NGINX_PORT;
				listen 127.0.0.1:$NGINX_TLS_PORT ssl;
				ssl_certificate $1/ca.pem;
				ssl_certificate_key $1/tls_key.pem;
				root $1/files;
				location / {
					dav_methods PUT DELETE MKCOL MOVE;
					$([ "$2" = plain ] || echo 'dav_ext_methods PROPFIND OPTIONS;')
					dav_access user:rw;
					create_full_put_path on;
					auth_basic store;
					auth_basic_user_file $1/passwords;
				}
				location /bearer/ {
					dav_methods PUT DELETE MKCOL MOVE;
					dav_ext_methods PROPFIND OPTIONS;
					create_full_put_path on;
					if (\$http_authorization != "Bearer t0ken") { return 401; }
				}
			}
		}
	END
}

nginx_start() {
	[ -f "$1/ca.pem" ] || net_certificate "$1"
	printf 'backup:{PLAIN}%s\n' "$NET_PASSWORD" >"$1/passwords"
	net_tries=0
	while [ $net_tries -lt 8 ]; do
		NGINX_PORT=$(net_port)
		NGINX_TLS_PORT=$(net_port)
		nginx_config "$1" "${2:-dav}" >"$1/nginx.conf"
		net_serve "$1" /usr/sbin/nginx -e "$1/nginx.log" -c "$1/nginx.conf"
		if net_await $! curl --noproxy "*" -s --max-time 2 -o /dev/null "http://127.0.0.1:$NGINX_PORT/"; then
			return 0
		fi
		net_tries=$((net_tries + 1))
	done
	cat "$1/nginx.log" "$1/out.log" >&2
	return 1
}

# net_stop FOLDER [keep]
net_stop() {
	[ ! -f "$1/pids" ] || while read -r net_pid; do
		kill "$net_pid" 2>/dev/null || true
	done <"$1/pids"
	rm -f "$1/pids"
	[ "${2:-}" = keep ] || rm -rf "$1"
}
