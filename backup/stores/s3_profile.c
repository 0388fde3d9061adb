#include "backup/stores/s3_profile.h"

#include "backup/stores/s3_config.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"

#include <pwd.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_MAX ((size_t)1 << 20)

/* Which key of the files goes where. */
static const struct {
	const char *key;
	size_t offset;
} fields[] = {
	{ "aws_access_key_id", offsetof(struct s3_profile, access_key) },
	{ "aws_secret_access_key", offsetof(struct s3_profile, secret_key) },
	{ "aws_session_token", offsetof(struct s3_profile, session_token) },
	{ "region", offsetof(struct s3_profile, region) },
	{ "role_arn", offsetof(struct s3_profile, role_arn) },
	{ "web_identity_token_file", offsetof(struct s3_profile, token_file) },
	{ "role_session_name", offsetof(struct s3_profile, session_name) },
	{ "credential_process", offsetof(struct s3_profile, unsupported) },
	{ "sso_session", offsetof(struct s3_profile, unsupported) },
	{ "sso_start_url", offsetof(struct s3_profile, unsupported) },
	{ "source_profile", offsetof(struct s3_profile, unsupported) },
	{ "credential_source", offsetof(struct s3_profile, unsupported) },
};

#define N_FIELDS (sizeof(fields) / sizeof(fields[0]))

const char *s3_profile_name(const char *configured)
{
	const char *name = configured ? configured : s3_env("AWS_PROFILE");

	return name ? name : "default";
}

static char **slot(struct s3_profile *p, size_t field)
{
	return (char **)(void *)((char *)p + fields[field].offset);
}

/* The first one counts: credentials are read before config. */
static void take(struct s3_profile *p, const char *key, const char *value)
{
	for (size_t i = 0; i < N_FIELDS; i++) {
		bool is_word = fields[i].offset == offsetof(struct s3_profile, unsupported);
		if (strcmp(fields[i].key, key) == 0 && !*slot(p, i) && *value)
			*slot(p, i) = mem_strdup(is_word ? key : value);
	}
}

/* "[name]" or "[profile name]"; in config the plain form is for `default` alone, and being lenient harms nobody. */
static bool is_section(char *line, const char *name)
{
	char *end = strchr(line, ']');

	if (!end)
		return false;
	*end = '\0';
	char *text = text_trim(line + 1);
	if (text_starts(text, "profile ") || text_starts(text, "profile\t"))
		text = text_trim(text + strlen("profile"));
	return strcmp(text, name) == 0;
}

/* Lines that are indented belong to a nested key (s3 =), none of which is ours. */
static void take_line(char *line, const char *name, bool *ours, struct s3_profile *p)
{
	bool nested = *line == ' ' || *line == '\t';
	char *text = text_trim(line);

	if (*text == '[') {
		*ours = is_section(text, name);
		p->found |= *ours;
		return;
	}
	char *sign = strchr(text, '=');
	if (!*ours || nested || !sign || *text == '#' || *text == ';')
		return;
	*sign = '\0';
	take(p, text_trim(text), text_trim(sign + 1));
}

static bool read_one(const char *path, const char *name, struct s3_profile *p, struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT(FILE_MAX);
	bool ours = false;

	if (access(path, F_OK) != 0)
		return true;
	if (!file_read(path, &text, err))
		return err_recode(err, ERR_USAGE);
	for (char *line = text.data, *next; line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		take_line(line, name, &ours, p);
	}
	if (text.len > 0)
		mem_wipe(text.data, text.len);
	return true;
}

/* NULL when nobody knows where home is. */
static char *place(const char *variable, const char *name)
{
	const char *given = s3_env(variable), *home = s3_env("HOME");
	const struct passwd *me = given || home ? NULL : getpwuid(getuid());

	if (given)
		return mem_strdup(given);
	if (me)
		home = me->pw_dir;
	return home ? mem_fmt("%s/.aws/%s", home, name) : NULL;
}

bool s3_profile_read(const char *name, struct s3_profile *out, struct err *err)
{
	cleanup_free char *credentials = place("AWS_SHARED_CREDENTIALS_FILE", "credentials");
	cleanup_free char *config = place("AWS_CONFIG_FILE", "config");
	struct s3_profile p = { .found = false };

	if ((credentials && !read_one(credentials, name, &p, err)) ||
	    (config && !read_one(config, name, &p, err))) {
		s3_profile_clear(&p);
		return false;
	}
	*out = p;
	return true;
}

char *s3_profile_region(const char *configured)
{
	cleanup_s3_profile struct s3_profile p = { .found = false };
	struct err ignored = ERR_INIT;

	if (!s3_profile_read(s3_profile_name(configured), &p, &ignored) || !p.region)
		return NULL;
	return mem_strdup(p.region);
}

void s3_profile_clear(struct s3_profile *p)
{
	for (size_t i = 0; i < N_FIELDS; i++) {
		char **text = slot(p, i);
		if (*text)
			mem_wipe(*text, strlen(*text));
		free(*text);
		*text = NULL;
	}
	p->found = false;
}
