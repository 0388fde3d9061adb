/* What a unit that is not one transaction consists of. */
#include "migrations/off.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "migrations/lexer.h"
#include "migrations/parser.h"

#include <stdlib.h>
#include <string.h>

static void add(struct pieces *p, struct piece piece)
{
	p->v = mem_grow(p->v, p->n + 1, sizeof(*p->v));
	p->v[p->n++] = piece;
}

/* Where the statements are: by the grammar, or as psql finds them where the text is newer than the parser. */
static struct statement *find_statements(const char *sql, size_t *n)
{
	struct statement *list = NULL;
	struct err unknown = ERR_INIT;
	struct lexer lexer = { .text = sql };
	struct lexed s;

	if (parser_split(sql, &list, n, &unknown))
		return list;
	*n = 0;
	while (lex_next(&lexer, &s) == LEX_STATEMENT) {
		list = mem_grow(list, *n + 1, sizeof(*list));
		list[(*n)++] = (struct statement){ .start = s.start, .len = s.end - s.start };
	}
	return list;
}

static void add_statements(struct pieces *p, const struct part *part, enum piece_kind kind)
{
	size_t n;
	struct statement *list = find_statements(part->sql, &n);

	for (size_t i = 0; i < n; i++) {
		/* The grammar's statements begin with the blanks and comments before them. */
		struct lexer lexer = { .text = part->sql, .at = list[i].start };
		struct lexed s;
		(void)lex_next(&lexer, &s);
		add(p, (struct piece){ .kind = kind,
		                       .text = mem_strndup(part->sql + s.start,
		                                           list[i].start + list[i].len - s.start),
		                       .line = line_of(part->sql, s.start, part->line) });
	}
	free(list);
}

static void add_part(struct pieces *p, const struct part *part, enum piece_kind kind)
{
	if (!part->data) {
		add_statements(p, part, kind);
		return;
	}
	add(p,
	    (struct piece){ .kind = kind, .text = mem_strdup(part->sql), .part = part, .line = part->line });
}

static bool add_batch(const struct unit *u, struct pieces *p, struct err *err)
{
	const struct revision *rev = u->steps[0].revision;

	if (u->steps[0].direction != DIRECTION_UP || !rev->batch.present)
		return true;
	if (!script_make(rev, &rev->batch, &p->batch, err))
		return false;
	for (size_t i = 0; i < p->batch.n; i++)
		add_part(p, &p->batch.parts[i], PIECE_BATCH);
	return true;
}

bool pieces_make(const struct unit *u, struct pieces *out, struct err *err)
{
	const struct section *s = step_section(&u->steps[0]);
	const struct script *script = &u->sections[0];

	*out = (struct pieces){ .n = 0 };
	if (s->transaction && script->n)
		add(out, (struct piece){ .kind = PIECE_SECTION,
		                         .text = mem_strdup(s->text),
		                         .section = script,
		                         .line = s->line });
	for (size_t i = 0; i < script->n && !s->transaction; i++)
		add_part(out, &script->parts[i], PIECE_STATEMENT);
	if (add_batch(u, out, err))
		return true;
	pieces_clear(out);
	return false;
}

void pieces_clear(struct pieces *p)
{
	for (size_t i = 0; i < p->n; i++)
		free(p->v[i].text);
	free(p->v);
	script_clear(&p->batch);
	*p = (struct pieces){ .n = 0 };
}
