#include "runner/cli/cli.h"

#include "runner/version.h"

#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

struct ledger_names app_ledger_names(const struct config *config)
{
	return (struct ledger_names){ .schema = config->version_schema, .table = config->version_table };
}

bool app_connect(const struct app *app, struct db **out, struct err *err)
{
	cleanup_conninfo struct conninfo *own = NULL;

	if (!app->database && !config_database(app->config, &own, err))
		return false;
	return db_open(app->database ? app->database : own, "ripcord", out, err);
}

bool app_graph(const struct app *app, struct graph **out, struct err *err)
{
	return graph_load(app->config->migrations, out, err);
}

bool app_ledger(const struct app *app, struct db **db, struct ledger **ledger, struct err *err)
{
	struct ledger_names names = app_ledger_names(app->config);
	struct db *connection;

	if (!app_connect(app, &connection, err))
		return false;
	if (!ledger_open(connection, &names, ledger, err)) {
		db_close(connection);
		return false;
	}
	*db = connection;
	return true;
}

struct actor app_actor(const char *run)
{
	static char host[256]; /* HOST_NAME_MAX is 64; POSIX allows 255 */
	const struct passwd *user = getpwuid(geteuid());

	if (gethostname(host, sizeof(host) - 1) != 0)
		host[0] = '\0';
	return (struct actor){
		.run = run,
		.who = user ? user->pw_name : "",
		.host = host,
		.tool_version = RIPCORD_VERSION,
	};
}

void app_print_json(const struct app *app, json_t *value)
{
	/* Ten digits of a time are enough, and 0.47 is not 0.46999999999999997. */
	json_dumpf(value, app->out, JSON_INDENT(2) | JSON_REAL_PRECISION(10));
	fputc('\n', app->out);
	json_decref(value);
}

json_t *app_json_strings(const struct strv *s)
{
	json_t *array = json_array();

	for (size_t i = 0; i < s->n; i++)
		json_push(array, json_str(s->v[i]));
	return array;
}

void app_print_list(const struct app *app, size_t n, const void *ctx,
                    json_t *(*json)(const void *ctx, size_t i),
                    void (*print)(FILE *out, const void *ctx, size_t i))
{
	json_t *array = app->globals->json ? json_array() : NULL;

	for (size_t i = 0; i < n; i++) {
		if (array)
			json_push(array, json(ctx, i));
		else
			print(app->out, ctx, i);
	}
	if (array)
		app_print_json(app, array);
}
