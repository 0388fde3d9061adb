/*
 * config_keys.h - the table of keys: private to config*.c; others see it through config.h.
 */
#ifndef RUNNER_CONFIG_KEYS_H
#define RUNNER_CONFIG_KEYS_H

#include "runner/config.h"

#include <stddef.h>

/* The configuration with what owns its strings; struct config is its first member. */
struct config_box {
	struct config config;
	struct strv pool;
	struct strv *lists;    /* keys and values of the stores, two a store */
	size_t n_lists;
	struct err url_error;  /* why there is no url, kept until somebody needs one */
};

struct key_row;

/* Where one value goes: `into` is the struct that the row's offset counts in. */
struct slot {
	struct config_box *box;
	void *into;
	const struct key_row *row;
	const char *value;     /* filled, trimmed */
};

enum key_use {
	KEY_BUILT,   /* in init's file and the manual page */
	KEY_QUIET,   /* in the manual page alone */
};

struct key_row {
	struct config_key key;
	size_t offset;
	bool (*take)(const struct slot *slot, struct err *err);
	enum key_use use;
};

extern const struct config_key store_keys[]; /* store_keys.c: sections `store NAME, type = TYPE` */
extern const size_t store_keys_count;
extern const struct key_row config_rows[];
extern const size_t config_rows_count;

/* "store" for "store local", "hook" for "hook smoke", else the name itself. */
const char *config_section_class(const char *section);
const struct key_row *config_row_find(const char *section_class, const char *key);

const char *config_keep(struct config_box *box, const char *text); /* a copy that lives as long as the box */

#endif
