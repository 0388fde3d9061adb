/*
 * facts_sql.h - the questions of facts.c: private to it.
 */
#ifndef RUNNER_FACTS_SQL_H
#define RUNNER_FACTS_SQL_H

#include "base/db.h"
#include "policies/policies.h"

#include <stddef.h>

struct question {
	const char *name;  /* what it asks for, in messages */
	const char *sql;   /* one statement; search_path is pg_catalog alone */
	int since;         /* server_version / 10000 that it needs; 0: any */
	void (*take)(struct facts *f, const struct rows *rows);
};

extern const struct question facts_questions[];
extern const size_t facts_questions_count;

/* The server's place: address, data_directory, tablespace, port, start in seconds; one row. */
extern const char facts_place_sql[];

#endif
