#include "runner/cli/cli.h"

#include "migrations/schema/schema.h"

struct fingerprint_options {
	bool text;
};

static const struct opt fingerprint_options[] = {
	{ "text", 0, OPT_FLAG, NULL, "prints the facts that it is made of",
	  offsetof(struct fingerprint_options, text) },
	{ .name = NULL },
};

static void print_fingerprint(const struct app *app, const struct schema *schema)
{
	const struct fingerprint_options *o = app->options;
	char hex[SHA256_HEX];

	schema_digest(schema, SCHEMA_STRICT, hex);
	if (app->globals->json) {
		json_t *object = json_object();
		json_put(object, "fingerprint", json_str(hex));
		if (o->text)
			json_put(object, "facts", schema_to_json(schema));
		app_print_json(app, object);
	} else if (o->text) {
		schema_print(schema, app->out);
	} else {
		fprintf(app->out, "%s\n", hex);
	}
}

static bool run_fingerprint(struct app *app, struct err *err)
{
	cleanup_db struct db *db = NULL;
	cleanup_ledger struct ledger *ledger = NULL;
	cleanup_schema struct schema *schema = NULL;

	if (!app_ledger(app, &db, &ledger, err))
		return false;
	const struct schema_options options = { .version_table = ledger_table(ledger) };
	if (!schema_read(db, &options, &schema, err))
		return false;
	print_fingerprint(app, schema);
	return true;
}

const struct command command_fingerprint = {
	.name = "fingerprint",
	.about = "prints the digest of the database's schema",
	.usage = "[--text]",
	.text = "Prints the SHA-256 over the facts of the catalog: equal for two databases with the same "
		"schema, and for\n"
		"one before and after dump and restore. Ledger and history are left out.",
	.options = fingerprint_options,
	.options_size = sizeof(struct fingerprint_options),
	.needs = NEEDS_CONFIG | NEEDS_DATABASE,
	.run = run_fingerprint,
};
