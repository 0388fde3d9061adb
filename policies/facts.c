#include "policies/policies.h"

void facts_clear(struct facts *f)
{
	struct strv *const vectors[] = {
		&f->invalid_indexes, &f->logical_slots,       &f->subscriptions,
		&f->prepared_xacts,  &f->foreign_dumps,       &f->superuser_sessions,
		&f->unrestorable,    &f->extensions_missing,  &f->standbys,
		&f->unmodelled,      &f->stores_failing,      &f->name_bound_extensions,
		&f->no_downgrade,    &f->proven_irreversible, &f->proven_losing,
		&f->unasked,         &f->rehearsal_limits,    &f->owned,
	};

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
		strv_clear(vectors[i]);
	*f = (struct facts){ .role = NULL };
}
