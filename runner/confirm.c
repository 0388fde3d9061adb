#include "runner/confirm.h"

#include "base/cancel.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "runner/progress.h"

#include <stdio.h>
#include <strings.h>
#include <unistd.h>

bool confirm_can_ask(void) { return isatty(STDIN_FILENO) && isatty(STDERR_FILENO); }

bool confirm_ask(const char *question, bool *yes, struct err *err)
{
	cleanup_free char *line = NULL;
	size_t cap = 0;

	progress_finish();
	fprintf(stderr, "%s [y/N] ", question);
	fflush(stderr);
	*yes = false;
	if (getline(&line, &cap, stdin) >= 0) {
		const char *answer = text_trim(line);
		*yes = strcasecmp(answer, "y") == 0 || strcasecmp(answer, "yes") == 0;
	} else {
		fputc('\n', stderr);
	}
	return !cancel_requested() || err_set(err, ERR_CANCELLED, "cancelled at a question");
}

bool confirm(const char *question, bool yes, struct err *err)
{
	if (yes)
		return true;
	if (!confirm_can_ask()) {
		err_set(err, ERR_USAGE, "this has to be confirmed, and there is no terminal to ask at: %s",
		        question);
		return err_hint(err, "give --yes");
	}
	return (confirm_ask(question, &yes, err) && yes) ||
	       err_set(err, ERR_CANCELLED, "not confirmed: nothing was changed");
}
