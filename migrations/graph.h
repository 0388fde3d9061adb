/*
 * graph.h - the inside of a graph, for the files of this room.
 *
 * Edges are Alembic's (alembic/script/revision.py): `parents` come from revises, `deps` from depends-on
 * with labels resolved.  An edge that an ancestor's dependency already gives is left out of deps
 * ("normalised"), so that the version table holds the same rows that Alembic would write.
 */
#ifndef MIGRATIONS_GRAPH_H
#define MIGRATIONS_GRAPH_H

#include "migrations/migrations.h"

struct node;

struct nodes {
	struct node **v;
	size_t n, cap;
};

void nodes_add(struct nodes *s, struct node *node);
void nodes_clear(struct nodes *s);
#define cleanup_nodes __attribute__((cleanup(nodes_clear)))

struct node {
	struct revision rev; /* first, so that a revision of a graph is its node */
	char *text;          /* owned: what the sections of rev point into */
	size_t place;        /* in graph->nodes: topological, parents first */
	size_t file_order;   /* among equals */
	size_t waiting;      /* for the topological sort: edges not yet taken */
	struct nodes parents, deps;          /* down */
	struct nodes children, dependants;   /* up: by revises, by depends-on */
	struct strv branches;
};

struct name_slot {
	const char *name; /* an id or a label, borrowed from the node */
	struct node *node;
	bool is_label;
};

struct graph {
	struct nodes nodes; /* topological order */
	struct name_slot *slots; /* open addressing; a power of two */
	size_t n_slots;
};

/* By id or label, whole. */
struct node *graph_node(const struct graph *g, const char *name);
static inline const struct node *node_of(const struct revision *rev) { return (const struct node *)(const void *)rev; }

/* Takes the node; graph_link() is to be called before anything is asked. */
struct graph *graph_new(void);
void graph_take(struct graph *g, struct node *node);
/* Checks all of it (duplicates, missing parents, cycles), sorts, propagates labels.  May be called again
 * after more nodes were taken.  ERR_USAGE. */
MUST_CHECK bool graph_link(struct graph *g, struct err *err);
void node_free(struct node *node);

/* Which way an edge is followed. */
enum walk {
	WALK_DOWN,      /* revises */
	WALK_DOWN_ALL,  /* revises and depends-on */
	WALK_UP,        /* children */
	WALK_UP_ALL,    /* children and dependants */
};

/* A set of nodes: one byte a node, by place.  graph_mark() adds `from` and all that is reached. */
bool *graph_marks(const struct graph *g);
void graph_mark(const struct graph *g, const struct node *from, enum walk walk, bool *marks);
bool graph_shares_lineage(const struct graph *g, const struct node *a, const struct node *b, bool with_deps);

/* Nodes of ids; ERR_REFUSED for one that no file has. */
MUST_CHECK bool graph_nodes_of(const struct graph *g, const struct strv *ids, struct nodes *out, struct err *err);

/* ------------------------------------------------------------------ addresses (address.c) */

/* What an upgrade aims at.  No node at all: nothing (base, or head of an empty graph). */
MUST_CHECK bool address_up(const struct graph *g, const struct strv *current, const char *word, struct nodes *out,
                           struct err *err);
/* What a downgrade ends at: *target NULL for base; *branch limits it to a lineage, NULL for none. */
MUST_CHECK bool address_down(const struct graph *g, const struct strv *current, const char *word,
                             struct node **branch, struct node **target, struct err *err);

/* ------------------------------------------------------------------ files (formats/) */

/* Takes `text` (malloc'd, len bytes and a NUL), which the node's sections point into afterwards.
 * ERR_USAGE with file and line. */
MUST_CHECK bool ripcord_parse(char *text, size_t len, const char *path, struct node **out, struct err *err);
/* Reads one file, at most RIPCORD_FILE_MAX bytes. */
MUST_CHECK bool ripcord_read(int dir_fd, const char *name, const char *path, struct node **out, struct err *err);
#define RIPCORD_FILE_MAX ((size_t)64 << 20)

/* 1 to 32 of [A-Za-z0-9_]: the length of Alembic's version_num. */
bool revision_id_is_valid(const char *id);

#endif
