/*
 * docs.h - the manual's sections and the shells' completion, printed from the tables that the program
 * itself runs by (commands.c, config_keys.c), so that they cannot say anything else.
 *
 * A tool of the build, not installed: ripcord-docs man PAGE.scd | bash | zsh | fish
 */
#ifndef RUNNER_DOCS_DOCS_H
#define RUNNER_DOCS_DOCS_H

#include "base/err.h"

#include <stdio.h>

/* Copies a scdoc source; lines that are @COMMANDS@, @OPTIONS@ or @KEYS@ become what the tables say.
 * ERR_IO for a file that cannot be read, ERR_USAGE for another @WORD@. */
MUST_CHECK bool docs_man(const char *source, FILE *out, struct err *err);

void docs_bash(FILE *out);
void docs_zsh(FILE *out);
void docs_fish(FILE *out);

#endif
