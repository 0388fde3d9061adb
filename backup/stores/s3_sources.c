#include "backup/stores/s3_sources.h"

#include "backup/stores/s3_config.h"
#include "backup/stores/sigv4.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/transfer.h"
#include "base/xml.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ANSWER_MAX ((size_t)64 << 10)
#define TOKEN_MAX  ((size_t)64 << 10)
#define ATTEMPTS   3

/* Off AWS nobody answers on the link-local addresses: finding that out must not take long. */
#define LOCAL_TIMEOUT_MS 2000
#define STS_TIMEOUT_MS   20000

/* Amazon EC2 User Guide, "Use the Instance Metadata Service": IMDSv2, six hours at most. */
#define INSTANCE_ENDPOINT "http://169.254.169.254"
#define INSTANCE_TTL      "x-aws-ec2-metadata-token-ttl-seconds: 21600"
#define INSTANCE_ROLES    "/latest/meta-data/iam/security-credentials/"

/* Amazon ECS and EKS Pod Identity; other hosts need https (AWS SDKs guide, "Container credential provider"). */
#define CONTAINER_ENDPOINT "http://169.254.170.2"

static const char *const container_hosts[] = { "169.254.170.2", "169.254.170.23", "[fd00:ec2::23]" };

void s3_keys_clear(struct s3_keys *k)
{
	char **const all[] = { &k->access_key, &k->secret_key, &k->session_token };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (*all[i])
			mem_wipe(*all[i], strlen(*all[i]));
		free(*all[i]);
	}
	*k = (struct s3_keys){ .access_key = NULL };
}

int64_t s3_time_us(const char *iso)
{
	struct tm tm = { .tm_mday = 1 };
	const char *end = iso ? strptime(iso, "%Y-%m-%dT%H:%M:%S", &tm) : NULL;

	if (end && *end == '.')
		end += 1 + strspn(end + 1, "0123456789");
	return end && strcmp(end, "Z") == 0 ? (int64_t)timegm(&tm) * 1000000 : 0;
}

/* ------------------------------------------------------------------ asking */

static bool is_worth_again(bool sent, const struct transfer_result *answer)
{
	if (!sent)
		return answer->how == TRANSFER_BROKEN || answer->how == TRANSFER_TIMED_OUT;
	return answer->status >= 500 || answer->status == 429;
}

/* True for any answer, after a few attempts at one that is not a server's failure. */
static bool ask(const struct transfer_request *req, struct transfer_result *answer, struct err *err)
{
	struct transfer_client *client = NULL;
	bool ok = false;

	if (!transfer_client_new(&client, err))
		return err_recode(err, ERR_BACKUP);
	for (int i = 0; i < ATTEMPTS; i++) {
		struct err why = ERR_INIT;
		transfer_result_clear(answer);
		ok = transfer_run(client, req, answer, &why);
		bool again = is_worth_again(ok, answer) && i + 1 < ATTEMPTS;
		if (!ok && !again)
			*err = why;
		if (!again)
			break;
		clock_sleep_ms(clock_backoff_ms(i, 200, 2000));
	}
	transfer_client_free(client);
	return ok || (err->code == ERR_CANCELLED ? false : err_recode(err, ERR_BACKUP));
}

/* A token's file, its final newline left out: a line break in a header would begin another one. */
static bool read_token(const char *path, struct buf *out, struct err *err)
{
	if (!file_read(path, out, err))
		return err_recode(err, ERR_BACKUP);
	while (out->len > 0 && strchr(" \t\r\n", out->data[out->len - 1]))
		out->data[--out->len] = '\0';
	if (out->len == 0 || strpbrk(out->data, "\r\n"))
		return err_set(err, ERR_BACKUP, "'%s' holds no token", path);
	return true;
}

/* ------------------------------------------------------------------ web identity */

static bool sts_refused(const struct transfer_result *answer, struct err *err)
{
	cleanup_xml struct xml *x = NULL;
	cleanup_free char *code = NULL, *message = NULL;
	struct err ignored = ERR_INIT;

	if (xml_parse(buf_text(&answer->body), answer->body.len, "STS' answer", &x, &ignored)) {
		const struct xml_node *e = xml_first(xml_root(x), "Error");
		code = e ? xml_text(e, "Code") : NULL;
		message = e ? xml_text(e, "Message") : NULL;
	}
	return err_set(err, ERR_BACKUP, "STS refused the web identity: status %d %s%s%.200s", answer->status,
	               code ? code : "", message ? ": " : "", message ? message : "");
}

static bool sts_keys(const struct transfer_result *answer, struct s3_keys *out, struct err *err)
{
	cleanup_xml struct xml *x = NULL;
	const struct xml_node *keys = NULL;

	if (!xml_parse(buf_text(&answer->body), answer->body.len, "STS' answer", &x, err))
		return err_recode(err, ERR_BACKUP);
	const struct xml_node *result = xml_first(xml_root(x), "AssumeRoleWithWebIdentityResult");
	keys = result ? xml_first(result, "Credentials") : NULL;
	if (!keys)
		return err_set(err, ERR_BACKUP, "STS' answer has no credentials");
	cleanup_free char *expires = xml_text(keys, "Expiration");
	*out = (struct s3_keys){ .access_key = xml_text(keys, "AccessKeyId"),
		                 .secret_key = xml_text(keys, "SecretAccessKey"),
		                 .session_token = xml_text(keys, "SessionToken"),
		                 .expires_us = s3_time_us(expires) };
	return true;
}

/* AWS_ENDPOINT_URL_STS as the SDKs have it; a token in plain text stays on this machine. */
static bool sts_url(const char *region, char **out, struct err *err)
{
	const char *configured = s3_env("AWS_ENDPOINT_URL_STS");
	cleanup_free char *scheme = NULL, *host = NULL;

	if (!configured) {
		*out = mem_fmt("https://sts.%s.amazonaws.com/", region);
		return true;
	}
	if (!s3_split_endpoint(configured, &scheme, &host, err))
		return err_wrap(err, "AWS_ENDPOINT_URL_STS");
	if (strcmp(scheme, "http") == 0 && !s3_is_loopback(host))
		return err_set(err, ERR_USAGE, "AWS_ENDPOINT_URL_STS must be https");
	*out = mem_fmt("%s://%s/", scheme, host);
	return true;
}

static char *sts_form(const struct s3_web_identity *who, const char *token)
{
	cleanup_strv struct strv pairs = STRV_INIT;
	const char *const items[] = { "Action",           "AssumeRoleWithWebIdentity",
		                      "Version",          "2011-06-15",
		                      "RoleArn",          who->role_arn,
		                      "RoleSessionName",  who->session_name ? who->session_name : "ripcord",
		                      "WebIdentityToken", token };

	for (size_t i = 0; i < sizeof(items) / sizeof(items[0]); i++)
		strv_add(&pairs, items[i]);
	return sigv4_query(&pairs);
}

bool s3_fetch_web_identity(const struct s3_web_identity *who, struct s3_keys *out, struct err *err)
{
	cleanup_transfer_result struct transfer_result answer = TRANSFER_RESULT_INIT(ANSWER_MAX);
	cleanup_buf struct buf token = BUF_INIT(TOKEN_MAX);
	cleanup_strv struct strv headers = STRV_INIT;
	cleanup_free char *url = NULL;

	if (!sts_url(who->region, &url, err) || !read_token(who->token_file, &token, err))
		return false;
	cleanup_free char *form = sts_form(who, buf_text(&token));
	strv_add(&headers, "Content-Type: application/x-www-form-urlencoded");
	const struct transfer_request req = { .method = "POST",
		                              .url = url,
		                              .headers = &headers,
		                              .body = form,
		                              .body_len = (int64_t)strlen(form),
		                              .ca_file = who->ca_file,
		                              .timeout_ms = STS_TIMEOUT_MS };
	if (!ask(&req, &answer, err))
		return false;
	return answer.status == 200 ? sts_keys(&answer, out, err) : sts_refused(&answer, err);
}

/* ------------------------------------------------------------------ JSON, of containers and instances */

static char *member(const json_t *j, const char *key)
{
	return mem_strdup(json_string_value(json_object_get(j, key)));
}

static bool json_keys(const char *who, const struct transfer_result *answer, struct s3_keys *out,
                      struct err *err)
{
	cleanup_json json_t *j = NULL;

	if (answer->status != 200)
		return err_set(err, ERR_BACKUP, "%s answered with status %d", who, answer->status);
	if (!json_parse(buf_text(&answer->body), answer->body.len, who, &j, err))
		return err_recode(err, ERR_BACKUP);
	cleanup_free char *expires = member(j, "Expiration");
	*out = (struct s3_keys){ .access_key = member(j, "AccessKeyId"),
		                 .secret_key = member(j, "SecretAccessKey"),
		                 .session_token = member(j, "Token"),
		                 .expires_us = s3_time_us(expires) };
	return true;
}

/* Credentials come in plain text: from this machine and from AWS' own addresses on it alone. */
static bool container_url(char **out, struct err *err)
{
	const char *relative = s3_env("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
	const char *full = s3_env("AWS_CONTAINER_CREDENTIALS_FULL_URI");
	const char *host = full && text_starts(full, "http://") ? full + strlen("http://") : NULL;

	if (relative) {
		*out = mem_fmt(CONTAINER_ENDPOINT "%s", relative);
		return true;
	}
	cleanup_free char *name = host ? mem_strndup(host, strcspn(host, "/?#")) : NULL;
	bool ok = !host || s3_is_loopback(name);
	for (size_t i = 0; !ok && i < sizeof(container_hosts) / sizeof(container_hosts[0]); i++)
		ok = strcmp(name, container_hosts[i]) == 0;
	if (!ok || (!host && !text_starts(full, "https://")) || (host && strchr(name, '@')))
		return err_set(err, ERR_USAGE,
		               "AWS_CONTAINER_CREDENTIALS_FULL_URI must be https, or on this machine");
	*out = mem_strdup(full);
	return true;
}

static bool container_headers(struct strv *headers, struct err *err)
{
	const char *path = s3_env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
	const char *token = s3_env("AWS_CONTAINER_AUTHORIZATION_TOKEN");
	cleanup_buf struct buf read = BUF_INIT(TOKEN_MAX);

	if (path && !read_token(path, &read, err))
		return false;
	if (path)
		token = buf_text(&read);
	if (token && strpbrk(token, "\r\n"))
		return err_set(err, ERR_USAGE, "AWS_CONTAINER_AUTHORIZATION_TOKEN has a line break");
	if (token)
		strv_fmt(headers, "Authorization: %s", token);
	return true;
}

bool s3_fetch_container(struct s3_keys *out, struct err *err)
{
	cleanup_transfer_result struct transfer_result answer = TRANSFER_RESULT_INIT(ANSWER_MAX);
	cleanup_strv struct strv headers = STRV_INIT;
	cleanup_free char *url = NULL;

	if (!container_url(&url, err) || !container_headers(&headers, err))
		return false;
	const struct transfer_request req = { .method = "GET",
		                              .url = url,
		                              .headers = &headers,
		                              .direct = true,
		                              .timeout_ms = LOCAL_TIMEOUT_MS };
	return ask(&req, &answer, err) && json_keys("the container's endpoint", &answer, out, err);
}

/* ------------------------------------------------------------------ instance metadata */

static bool instance_ask(const char *method, const char *path, const char *header,
                         struct transfer_result *answer, struct err *err)
{
	const char *endpoint = s3_env("AWS_EC2_METADATA_SERVICE_ENDPOINT");
	cleanup_strv struct strv headers = STRV_INIT;

	if (!endpoint)
		endpoint = INSTANCE_ENDPOINT;
	cleanup_free char *url =
		mem_fmt("%.*s%s", (int)strlen(endpoint) - text_ends(endpoint, "/"), endpoint, path);
	strv_add(&headers, header);
	const struct transfer_request req = { .method = method,
		                              .url = url,
		                              .headers = &headers,
		                              .body = strcmp(method, "PUT") == 0 ? "" : NULL,
		                              .direct = true,
		                              .timeout_ms = LOCAL_TIMEOUT_MS };
	if (!ask(&req, answer, err))
		return false;
	if (answer->status != 200 || answer->body.len == 0 || strpbrk(buf_text(&answer->body), "\r"))
		return err_set(err, ERR_BACKUP, "instance metadata answered with status %d", answer->status);
	return true;
}

/* Version 2 alone: version 1, which needs no token, is what forged requests of other programs reach. */
bool s3_fetch_instance(struct s3_keys *out, struct err *err)
{
	cleanup_transfer_result struct transfer_result token = TRANSFER_RESULT_INIT(ANSWER_MAX);
	cleanup_transfer_result struct transfer_result role = TRANSFER_RESULT_INIT(ANSWER_MAX);
	cleanup_transfer_result struct transfer_result answer = TRANSFER_RESULT_INIT(ANSWER_MAX);

	if (!instance_ask("PUT", "/latest/api/token", INSTANCE_TTL, &token, err))
		return false;
	cleanup_free char *header = mem_fmt("x-aws-ec2-metadata-token: %s", text_trim(token.body.data));
	if (!instance_ask("GET", INSTANCE_ROLES, header, &role, err))
		return false;
	cleanup_free char *first = mem_strndup(role.body.data, strcspn(role.body.data, "\n"));
	cleanup_free char *name = transfer_escape(first, false);
	cleanup_free char *path = mem_fmt(INSTANCE_ROLES "%s", name);
	return instance_ask("GET", path, header, &answer, err) &&
	       json_keys("instance metadata", &answer, out, err);
}
