#include "base/xml.h"

#include "base/mem.h"

#include <libxml/parser.h>
#include <libxml/tree.h>

#include <limits.h>
#include <stdlib.h>
#include <string.h>

struct xml {
	xmlDoc *doc;
};

static const xmlNode *node(const struct xml_node *n) { return (const xmlNode *)n; }

bool xml_parse(const char *text, size_t len, const char *what, struct xml **out, struct err *err)
{
	xmlDoc *doc = NULL;

	xmlInitParser();
	if (len > 0 && len <= INT_MAX)
		doc = xmlReadMemory(text, (int)len, NULL, NULL,
		                    XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
	if (!doc || !xmlDocGetRootElement(doc)) {
		xmlFreeDoc(doc);
		return err_set(err, ERR_CORRUPT, "%s is not well-formed XML", what);
	}
	*out = mem_new0(sizeof(**out));
	(*out)->doc = doc;
	return true;
}

void xml_free(struct xml *x)
{
	if (!x)
		return;
	xmlFreeDoc(x->doc);
	free(x);
}

const struct xml_node *xml_root(const struct xml *x)
{
	return (const struct xml_node *)xmlDocGetRootElement(x->doc);
}

bool xml_is(const struct xml_node *n, const char *name)
{
	return node(n)->type == XML_ELEMENT_NODE && strcmp((const char *)node(n)->name, name) == 0;
}

static const struct xml_node *find(const xmlNode *from, const char *name)
{
	for (; from; from = from->next)
		if (xml_is((const struct xml_node *)from, name))
			return (const struct xml_node *)from;
	return NULL;
}

const struct xml_node *xml_first(const struct xml_node *parent, const char *name)
{
	return find(node(parent)->children, name);
}

const struct xml_node *xml_next(const struct xml_node *n, const char *name)
{
	return find(node(n)->next, name);
}

char *xml_text(const struct xml_node *parent, const char *name)
{
	const struct xml_node *child = xml_first(parent, name);

	if (!child)
		return NULL;
	xmlChar *text = xmlNodeGetContent(node(child));
	char *copy = mem_strdup(text ? (const char *)text : "");
	xmlFree(text);
	return copy;
}
