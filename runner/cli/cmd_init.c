#include "runner/cli/cli.h"

#include "base/cleanup.h"
#include "base/file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char env_example[] =
	"# Copy to .env and fill in; ripcord.ini takes ${NAME} from here, and the environment wins.\n"
	"# URLs as ORMs write them are fine: postgresql+psycopg2://, postgres://\n"
	"DATABASE_URL=postgresql://user:password@localhost:5432/app\n"
	"\n"
	"# The file with the age private key, for restores of encrypted backups only:\n"
	"# RIPCORD_AGE_IDENTITY=/etc/ripcord/age.key\n";

static const char gitignore[] = "# ripcord's journals, and backups: they hold the database's contents\n"
				"/.ripcord/\n"
				"/backups/\n"
				".env\n";

struct outcome_lists {
	struct strv created, kept;
};

static bool write_one(const char *folder, const char *name, const char *text, struct outcome_lists *lists,
                      struct err *err)
{
	cleanup_free char *path = path_join(folder, name);
	struct err why = ERR_INIT;

	if (file_exists(path)) {
		strv_add(&lists->kept, path);
		return true;
	}
	if (file_create(path, text, strlen(text), 0644, &why)) {
		strv_add(&lists->created, path);
		return true;
	}
	if (why.sys_errno == EEXIST) {
		strv_add(&lists->kept, path);
		return true;
	}
	*err = why;
	return false;
}

static bool make_project(const char *folder, struct outcome_lists *lists, struct err *err)
{
	cleanup_free char *versions = path_join(folder, "migrations/versions");
	cleanup_free char *config = config_template();

	return file_make_dirs(versions, 0755, err) && write_one(folder, "ripcord.ini", config, lists, err) &&
	       write_one(folder, "migrations/revision.sql.template", revision_template(), lists, err) &&
	       write_one(folder, ".env.example", env_example, lists, err) &&
	       write_one(folder, ".gitignore", gitignore, lists, err);
}

static void print_lists(const struct app *app, const char *folder, const struct outcome_lists *lists)
{
	if (app->globals->json) {
		json_t *o = json_object();
		json_put(o, "folder", json_str(folder));
		json_put(o, "created", app_json_strings(&lists->created));
		json_put(o, "kept", app_json_strings(&lists->kept));
		app_print_json(app, o);
		return;
	}
	for (size_t i = 0; i < lists->created.n; i++)
		fprintf(app->out, "created %s\n", lists->created.v[i]);
	for (size_t i = 0; i < lists->kept.n; i++)
		fprintf(app->out, "kept    %s, which was there\n", lists->kept.v[i]);
	fputs("next: set DATABASE_URL, then ripcord doctor\n", app->out);
}

static bool run_init(struct app *app, struct err *err)
{
	const char *folder = app->n_words > 0 ? app->words[0] : ".";
	struct outcome_lists lists = { .created = STRV_INIT };
	bool ok = make_project(folder, &lists, err);

	if (ok)
		print_lists(app, folder, &lists);
	strv_clear(&lists.created);
	strv_clear(&lists.kept);
	return ok;
}

const struct command command_init = {
	.name = "init",
	.about = "makes a new project",
	.usage = "[DIR]",
	.text = "Writes ripcord.ini with every key and its default, migrations/versions, a template for "
		"revisions,\n"
		".env.example, and a .gitignore for state and backups. Files that are there are kept as they "
		"are.",
	.max_words = 1,
	.run = run_init,
};
