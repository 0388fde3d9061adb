#include "backup/stores/dav.h"

#include "backup/stores/remote.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "base/xml.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* %XX filled in; NULL for what makes no sense.  The caller's. */
static char *unescape(const char *text)
{
	cleanup_buf struct buf b = BUF_INIT(BUF_TEXT_MAX);

	for (const char *p = text; *p; p++) {
		if (*p != '%') {
			buf_char(&b, *p);
			continue;
		}
		if (!isxdigit((unsigned char)p[1]) || !isxdigit((unsigned char)p[2]))
			return NULL;
		const char digits[3] = { p[1], p[2], '\0' };
		char byte = (char)strtol(digits, NULL, 16);
		if (!byte)
			return NULL;
		buf_char(&b, byte);
		p += 2;
	}
	return buf_take(&b);
}

/* The last part of an href, which may be a path or a whole URL; "" for the folder itself.  The caller's. */
static char *name_in(const char *href, const char *folder_path)
{
	const char *mark = strstr(href, "://"), *path = mark ? strchrnul(mark + 3, '/') : href;
	cleanup_free char *plain = unescape(path);
	size_t len = strlen(folder_path);

	if (!plain || strncmp(plain, folder_path, len) != 0)
		return NULL;
	char *name = mem_strdup(plain + len);
	size_t name_len = strlen(name);
	if (name_len > 0 && name[name_len - 1] == '/')
		name[name_len - 1] = '\0';
	if (strchr(name, '/')) {
		free(name);
		return NULL;
	}
	return name;
}

static bool is_collection(const struct xml_node *response)
{
	for (const struct xml_node *stat = xml_first(response, "propstat"); stat;
	     stat = xml_next(stat, "propstat")) {
		const struct xml_node *prop = xml_first(stat, "prop");
		const struct xml_node *type = prop ? xml_first(prop, "resourcetype") : NULL;
		if (type && xml_first(type, "collection"))
			return true;
	}
	return false;
}

bool dav_entries_read(const struct buf *body, const char *url, struct dav_entries *out, struct err *err)
{
	cleanup_xml struct xml *xml = NULL;
	const char *path = strchr(strstr(url, "://") + 3, '/');
	cleanup_free char *folder = unescape(path);

	if (!folder || !xml_parse(buf_text(body), body->len, "the answer to PROPFIND", &xml, err))
		return err_set(err, ERR_IO, "the answer to PROPFIND makes no sense");
	if (!xml_is(xml_root(xml), "multistatus"))
		return err_set(err, ERR_IO, "the answer to PROPFIND is no multistatus");
	for (const struct xml_node *r = xml_first(xml_root(xml), "response"); r;
	     r = xml_next(r, "response")) {
		cleanup_free char *href = xml_text(r, "href");
		cleanup_free char *name = href ? name_in(href, folder) : NULL;
		if (!name)
			return err_set(err, ERR_IO, "PROPFIND %s names '%s', which is not in it", path,
			               href ? href : "");
		if (!remote_is_hidden(name))
			strv_add(is_collection(r) ? &out->folders : &out->files, name);
	}
	return true;
}

void dav_entries_clear(struct dav_entries *e)
{
	strv_clear(&e->files);
	strv_clear(&e->folders);
}
