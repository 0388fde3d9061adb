#include "base/connect.h"
#include "base/cleanup.h"
#include "base/mem.h"

#include <libpq-fe.h>

#include <stdlib.h>
#include <string.h>

#define CONNECT_TIMEOUT_S "10"
/* A dead peer is noticed after 60 s: half of the shortest idle limit that firewalls in front of
 * managed databases are known for would be too short for a busy server, two minutes too long for a lock. */
#define KEEPALIVE_IDLE_S     "30"
#define KEEPALIVE_INTERVAL_S "10"
#define KEEPALIVE_COUNT      "3"
#define TCP_USER_TIMEOUT_MS  "60000"

void connect_add_line(struct buf *b, const char *text)
{
	size_t len = strlen(text);

	while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == ' '))
		len--;
	for (size_t i = 0; i < len; i++) {
		if (text[i] != '\n')
			buf_char(b, text[i]);
		else
			buf_str(b, text[i + 1] == '\t' ? "" : "; ");
	}
}

/* What a connection of ours has unless the URL says otherwise. */
static const struct {
	const char *keyword, *value;
} connect_defaults[] = {
	{ "connect_timeout", CONNECT_TIMEOUT_S },        { "keepalives_idle", KEEPALIVE_IDLE_S },
	{ "keepalives_interval", KEEPALIVE_INTERVAL_S }, { "keepalives_count", KEEPALIVE_COUNT },
	{ "tcp_user_timeout", TCP_USER_TIMEOUT_MS },
};

#define N_CONNECT_DEFAULTS (sizeof(connect_defaults) / sizeof(connect_defaults[0]))

/* What to look at, by libpq's and the server's words: there is no SQLSTATE before libpq 17.  Only
 * a hint is chosen by them, and the words may be in another language. */
static const struct {
	const char *words, *hint;
} connect_hints[] = {
	{ "password",
	  "check user and password in the database URL (or PGUSER, PGPASSWORD, PGPASSFILE, ~/.pgpass)" },
	{ "pg_hba.conf",
	  "the server's pg_hba.conf does not let this user in from here; check user and sslmode" },
	{ "Peer authentication", "connect as the system user of that name, or over TCP with a password" },
	{ "role \"", "check the user in the database URL (or PGUSER)" },
	{ "database \"", "check the database's name in the database URL (or PGDATABASE), or create it" },
	{ "SSL", "check sslmode and sslrootcert in the database URL (or PGSSLMODE, PGSSLROOTCERT)" },
	{ "translate host name", "check the host in the database URL (or PGHOST)" },
	{ "too many clients", "wait, or raise the server's max_connections" },
	{ "service", "check the service's name in the database URL (or PGSERVICE) and in pg_service.conf" },
	{ "", "is the server running there?  Check host and port in the database URL (or PGHOST, PGPORT)" },
};

static bool fail_connect(const struct conninfo *ci, const PGconn *conn, struct err *err)
{
	const char *message = conn ? PQerrorMessage(conn) : "out of memory";
	cleanup_buf struct buf text = BUF_INIT(BUF_TEXT_MAX);

	connect_add_line(&text, message);
	err_set(err, ERR_DB, "cannot connect to %s: %s", conninfo_label(ci), buf_text(&text));
	for (size_t i = 0; i < sizeof(connect_hints) / sizeof(connect_hints[0]); i++)
		if (strstr(message, connect_hints[i].words))
			return err_hint(err, "%s", connect_hints[i].hint);
	return false;
}

/* Of two equal keywords libpq takes the last. */
static PGconn *connect_with(const struct conninfo *ci, const char *application_name)
{
	const char **keywords, **values;
	size_t n = 0;

	conninfo_params(ci, &keywords, &values);
	while (keywords[n])
		n++;
	keywords = mem_grow(keywords, n + N_CONNECT_DEFAULTS + 3, sizeof(*keywords));
	values = mem_grow(values, n + N_CONNECT_DEFAULTS + 3, sizeof(*values));
	for (size_t i = 0; i < N_CONNECT_DEFAULTS; i++) {
		if (conninfo_get(ci, connect_defaults[i].keyword))
			continue;
		keywords[n] = connect_defaults[i].keyword;
		values[n++] = connect_defaults[i].value;
	}
	keywords[n] = "application_name";
	values[n++] = application_name;
	keywords[n] = "client_encoding";
	values[n++] = "UTF8";
	keywords[n] = values[n] = NULL;

	PGconn *conn = PQconnectdbParams(keywords, values, 0);
	free(keywords);
	free(values);
	return conn;
}

struct pg_conn *connect_open(const struct conninfo *ci, const char *application_name, struct err *err)
{
	PGconn *conn = connect_with(ci, application_name);

	if (conn && PQstatus(conn) == CONNECTION_OK)
		return conn;
	fail_connect(ci, conn, err);
	PQfinish(conn);
	return NULL;
}
