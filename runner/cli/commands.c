#include "runner/cli/cli.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/text.h"

#include <string.h>

const struct command *const commands[] = {
	&command_init,
	&command_doctor,
	&command_revision,
	&command_merge,
	&command_edit,
	&command_upgrade,
	&command_downgrade,
	&command_guard,
	&command_recover,
	&command_accept,
	&command_runs_list,
	&command_runs_show,
	&command_stamp,
	&command_repair,
	&command_current,
	&command_history,
	&command_heads,
	&command_branches,
	&command_show,
	&command_check,
	&command_backup_create,
	&command_backup_list,
	&command_backup_show,
	&command_backup_verify,
	&command_backup_drill,
	&command_backup_pin,
	&command_backup_unpin,
	&command_backup_prune,
	&command_backup_fetch,
	&command_restore,
	&command_quarantine_list,
	&command_quarantine_drop,
	&command_fingerprint,
	&command_diff,
	&command_prove,
	&command_rehearse,
	NULL,
};

/* A group's name alone means its commonest verb. */
static const struct {
	const char *group, *name;
} short_forms[] = {
	{ "backup", "backup create" },
	{ "runs", "runs list" },
};

static const char *long_form(const char *word)
{
	for (size_t i = 0; i < sizeof(short_forms) / sizeof(short_forms[0]); i++) {
		if (strcmp(short_forms[i].group, word) == 0)
			return short_forms[i].name;
	}
	return word;
}

static const struct command *by_name(const char *name)
{
	for (const struct command *const *c = commands; *c; c++) {
		if (strcmp((*c)->name, name) == 0)
			return *c;
	}
	return NULL;
}

/* The second words of a group: "list, show, verify".  Empty when `word` is no group. */
static void verbs_of(const char *word, struct strv *out)
{
	cleanup_free char *prefix = mem_fmt("%s ", word);

	for (const struct command *const *c = commands; *c; c++) {
		if (text_starts((*c)->name, prefix))
			strv_add(out, (*c)->name + strlen(prefix));
	}
}

static bool no_such_verb(const char *group, const char *verb, const struct strv *verbs, struct err *err)
{
	cleanup_free char *list = strv_join(verbs, ", ");

	if (verb)
		err_set(err, ERR_USAGE, "unknown command: %s %s", group, verb);
	else
		err_set(err, ERR_USAGE, "%s needs to be told what to do", group);
	return err_hint(err, "ripcord %s knows: %s", group, list);
}

static bool no_such_command(const char *word, struct err *err)
{
	cleanup_strv struct strv names = STRV_INIT;
	const char *nearest;

	for (const struct command *const *c = commands; *c; c++)
		strv_add(&names, (*c)->name);
	err_set(err, ERR_USAGE, "unknown command: %s", word);
	nearest = text_nearest(word, strv_argv(&names), names.n);
	if (nearest)
		return err_hint(err, "did you mean %s?", nearest);
	return err_hint(err, "ripcord --help lists the commands");
}

bool command_find(const char *const *words, size_t n, const struct command **out, size_t *used,
                  struct err *err)
{
	cleanup_strv struct strv verbs = STRV_INIT;
	cleanup_free char *both = n > 1 ? mem_fmt("%s %s", words[0], words[1]) : NULL;
	const struct command *found = both ? by_name(both) : NULL;

	if (found) {
		*used = 2;
		*out = found;
		return true;
	}
	verbs_of(words[0], &verbs);
	if (verbs.n == 0 || n == 1)
		found = by_name(long_form(words[0]));
	if (!found && verbs.n > 0)
		return no_such_verb(words[0], n > 1 ? words[1] : NULL, &verbs, err);
	if (!found)
		return no_such_command(words[0], err);
	*used = 1;
	*out = found;
	return true;
}
