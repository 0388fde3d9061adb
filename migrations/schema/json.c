#include "migrations/schema/store.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

/* {"format": 1, "facts": [{"kind", "name", "attributes": {name: value, or [value, form]}}]} */
#define FORMAT 1

json_t *schema_to_json(const struct schema *s)
{
	json_t *all = json_object(), *facts = json_array();

	for (size_t i = 0; i < s->n; i++) {
		const struct fact *f = &s->facts[i];
		json_t *fact = json_object(), *attributes = json_object();

		for (size_t a = 0; a < f->n; a++) {
			json_t *value = json_str(f->attributes[a].value);

			if (f->attributes[a].form) {
				json_t *pair = json_array();

				json_push(pair, value);
				json_push(pair, json_str(f->attributes[a].form));
				value = pair;
			}
			json_put(attributes, f->attributes[a].name, value);
		}
		json_put(fact, "kind", json_str(f->kind));
		json_put(fact, "name", json_str(f->name));
		json_put(fact, "attributes", attributes);
		json_push(facts, fact);
	}
	json_put(all, "format", json_integer(FORMAT));
	json_put(all, "facts", facts);
	return all;
}

static bool read_attribute(struct schema *s, const char *name, const json_t *value, struct attribute *out,
                           struct err *err)
{
	const char *text = json_string_value(value), *form = NULL;

	if (json_is_array(value) && json_array_size(value) == 2) {
		text = json_string_value(json_array_get(value, 0));
		form = json_string_value(json_array_get(value, 1));
		if (!form)
			text = NULL;
	}
	if (!text)
		return err_set(err, ERR_CORRUPT, "attribute \"%s\" of a fact is no text", name);
	*out = (struct attribute){ .name = schema_keep(s, name),
		                   .value = schema_keep(s, text),
		                   .form = form ? schema_keep(s, form) : NULL };
	return true;
}

static bool read_fact(struct schema *s, const json_t *fact, struct err *err)
{
	const json_t *attributes = json_object_get(fact, "attributes");
	const char *kind, *name, *key;
	struct attribute *list;
	json_t *value;
	size_t n = 0;
	bool ok = true;

	if (!json_need_str(fact, "kind", &kind, err) || !json_need_str(fact, "name", &name, err))
		return false;
	if (!json_is_object(attributes))
		return err_set(err, ERR_CORRUPT, "the fact \"%s\" has no attributes", name);
	list = mem_new0((json_object_size(attributes) + 1) * sizeof(*list));
	json_object_foreach((json_t *)attributes, key, value)
	{
		if (ok)
			ok = read_attribute(s, key, value, &list[n++], err);
	}
	if (ok)
		schema_add(s, schema_keep(s, kind), schema_keep(s, name), list, n);
	free(list);
	return ok;
}

bool schema_from_json(const json_t *j, struct schema **out, struct err *err)
{
	cleanup_schema struct schema *s = schema_new();
	const json_t *facts = json_object_get(j, "facts");
	int64_t format;

	if (!json_need_int(j, "format", &format, err))
		return err_wrap(err, "facts of a schema");
	if (format != FORMAT)
		return err_set(err, ERR_CORRUPT, "facts of a schema: format %lld is not known",
		               (long long)format);
	if (!json_is_array(facts))
		return err_set(err, ERR_CORRUPT, "facts of a schema: \"facts\" is missing");
	for (size_t i = 0; i < json_array_size(facts); i++)
		if (!read_fact(s, json_array_get(facts, i), err))
			return err_wrap(err, "facts of a schema");
	schema_seal(s);
	*out = s;
	s = NULL;
	return true;
}
