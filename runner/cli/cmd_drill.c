#include "runner/cli/cli.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "runner/cli/backup_line.h"
#include "runner/guard/drill_run.h"
#include "runner/upkeep/upkeep.h"

#include <inttypes.h>

static void print_drilled(struct app *app, const struct drill_result *r)
{
	char took[TEXT_SHORT], size[TEXT_SHORT];

	if (app->globals->json) {
		json_t *o = backup_summary(r->manifest);
		json_put(o, "verified", json_true());
		json_put(o, "how", json_str("drill"));
		json_put(o, "store", json_str(r->store));
		json_put(o, "server", json_str(r->server));
		json_put(o, "tables", json_integer(r->n_tables));
		json_put(o, "rows", json_integer(r->n_rows));
		json_put(o, "seconds", json_real(r->seconds));
		app_print_json(app, o);
		return;
	}
	fprintf(app->out,
	        "backup %s came back in %s: %s from store %s on %s; fingerprint and %" PRId64
	        " rows in %" PRId64 " tables are as they were\n",
	        manifest_id(r->manifest), text_duration((int64_t)(r->seconds * 1000), took),
	        text_size(manifest_bytes(r->manifest), size), r->store, r->server, r->n_rows, r->n_tables);
}

static bool run_drill(struct app *app, struct err *err)
{
	struct drill_result result;

	bool ok = backup_run_drill(app->config, app->words[0], &result, err);
	if (ok || err->code != ERR_USAGE)
		upkeep_tell(app->config, &(struct upkeep_event){ .work = UPKEEP_DRILL,
		                                                 .failure = ok ? NULL : err,
		                                                 .manifest = result.manifest,
		                                                 .seconds = result.seconds });
	if (ok)
		print_drilled(app, &result);
	drill_result_clear(&result);
	return ok;
}

const struct command command_backup_drill = {
	.name = "backup drill",
	.about = "restores a backup for practice, and measures how long that takes",
	.usage = "ID",
	.text = "Restores all of a backup into a scratch database and proves it: fingerprint and row counts "
		"must "
		"be those of\n"
		"the manifest. The scratch database is dropped again, also after a failure. It is made where "
		"_url_ of [drill]\n"
		"leads (or _RIPCORD\\_DRILL\\_URL_), else beside the live database, which need not be there. "
		"The copy in the first\n"
		"of the stores that has one is read; *-x backup.stores=NAME* chooses another. Roles that the "
		"server lacks are made\n"
		"for the drill, and dropped. The time it took is kept beside the backup: *ripcord doctor* "
		"and\n"
		"*ripcord upgrade --plan* quote it. Exit 7 when the backup does not come back.",
	.min_words = 1,
	.max_words = 1,
	.needs = NEEDS_CONFIG,
	.run = run_drill,
};
