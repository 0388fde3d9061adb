#include "runner/confirm.h"

#include "base/cancel.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "runner/progress.h"

#include <stdio.h>
#include <strings.h>
#include <unistd.h>

bool confirm(const char *question, bool yes, struct err *err)
{
	cleanup_free char *line = NULL;
	size_t cap = 0;

	if (yes)
		return true;
	if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO)) {
		err_set(err, ERR_USAGE, "this has to be confirmed, and there is no terminal to ask at: %s",
		        question);
		return err_hint(err, "give --yes");
	}
	progress_finish();
	fprintf(stderr, "%s [y/N] ", question);
	fflush(stderr);
	if (getline(&line, &cap, stdin) >= 0) {
		const char *answer = text_trim(line);
		if (strcasecmp(answer, "y") == 0 || strcasecmp(answer, "yes") == 0)
			return true;
	} else {
		fputc('\n', stderr);
	}
	return err_set(err, ERR_CANCELLED, "not confirmed: nothing was changed");
}
