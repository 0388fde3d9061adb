# A server of one answer; sourced by tests that have something asked or told over HTTP.
# shellcheck disable=SC2034,SC2154 # $port and $server are the test's; $PROJECT is cluster.bash's

# serve STATUS: answers every request with it, or never (STATUS hang); sets $port and $server.  Keeps the path of each
# GET in ./requests, and path and body of each POST in ./posted, a line a request.
serve() {
  python3 - "$1" >"$PROJECT/port" 3>&- 4>&- <<'PY' &
import http.server, sys, time
class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self, log, line):
        if sys.argv[1] == "hang":
            time.sleep(30)
        with open(log, "a") as kept:
            kept.write(line + "\n")
        self.send_response(int(sys.argv[1]))
        self.end_headers()
    def do_GET(self):
        self.answer("requests", self.path)
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.answer("posted", self.path + " " + body)
    def log_message(self, *args):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
PY
  server=$!
  wait_until 10 test -s "$PROJECT/port"
  port=$(cat "$PROJECT/port")
}
