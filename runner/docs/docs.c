#include "runner/docs/docs.h"

#include "base/log.h"

#include <string.h>

static const struct {
	const char *name;
	void (*print)(FILE *out);
} shells[] = {
	{ "bash", docs_bash },
	{ "zsh", docs_zsh },
	{ "fish", docs_fish },
};

static bool print(int argc, char **argv, struct err *err)
{
	if (argc == 3 && strcmp(argv[1], "man") == 0)
		return docs_man(argv[2], stdout, err);
	for (size_t i = 0; argc == 2 && i < sizeof(shells) / sizeof(shells[0]); i++) {
		if (strcmp(argv[1], shells[i].name) == 0) {
			shells[i].print(stdout);
			return true;
		}
	}
	return err_set(err, ERR_USAGE, "usage: ripcord-docs man PAGE.scd | bash | zsh | fish");
}

int main(int argc, char **argv)
{
	struct err err = ERR_INIT;
	bool ok = print(argc, argv, &err);

	if (ok && fflush(stdout) != 0)
		ok = err_sys(&err, "standard output could not be written");
	if (!ok)
		log_err(&err);
	return ok ? 0 : err_exit_status(err.code);
}
