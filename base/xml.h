/*
 * xml.h - reading small XML answers, by libxml2; xml.c is the only file that includes it.
 *
 * Names are compared without their namespace.  No DTD is loaded, no entity beyond XML's own five and character
 * references is filled in, nothing is fetched.  Nodes are borrowed from the document.
 */
#ifndef BASE_XML_H
#define BASE_XML_H

#include "base/err.h"

#include <stddef.h>

struct xml;
struct xml_node;

/* `what` names the text in messages.  ERR_CORRUPT when it is not well-formed, or larger than INT_MAX. */
MUST_CHECK bool xml_parse(const char *text, size_t len, const char *what, struct xml **out, struct err *err);
void xml_free(struct xml *x); /* NULL is fine */
static inline void cleanup_xml_(struct xml **x) { xml_free(*x); }
#define cleanup_xml __attribute__((cleanup(cleanup_xml_)))

const struct xml_node *xml_root(const struct xml *x); /* never NULL */
bool xml_is(const struct xml_node *n, const char *name);
/* The first child of that name, the next sibling of that name; NULL when there is none. */
const struct xml_node *xml_first(const struct xml_node *parent, const char *name);
const struct xml_node *xml_next(const struct xml_node *n, const char *name);
/* The text of the first child of that name; NULL when there is none.  The caller's. */
char *xml_text(const struct xml_node *parent, const char *name);

#endif
