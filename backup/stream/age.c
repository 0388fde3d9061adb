#include "backup/stream/age.h"

#include "backup/stream/queue.h"
#include "backup/stream/thread.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "base/proc.h"
#include "base/text.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define RING ((size_t)1 << 20)

struct age {
	struct strv argv, envp;
	struct queue *queue;    /* between the caller and the thread */
	age_on_bytes *on_bytes; /* when encrypting */
	age_pull *pull;         /* when decrypting */
	void *ctx;
	pthread_t thread;
	bool running;
	bool read_all; /* the program was given its input's end */
	bool ok;       /* valid when the thread has ended */
	struct err why;
};

/* ------------------------------------------------------------------ the program */

static bool find_age(struct strv *argv, struct err *err)
{
	cleanup_free char *path = proc_which("age");

	if (!path) {
		err_set(err, ERR_BACKUP, "the program age is not on PATH, and encryption needs it");
		return err_hint(err, "install the package age");
	}
	strv_add(argv, path);
	return true;
}

/* Plugins are found by PATH, and ask for nothing else of ours. */
static void set_environment(struct strv *envp)
{
	static const char *const names[] = { "PATH", "HOME", "TMPDIR" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (getenv(names[i]))
			strv_setenv(envp, names[i], getenv(names[i]));
}

static void add_recipients(struct strv *argv, const struct strv *recipients)
{
	for (size_t i = 0; i < recipients->n; i++) {
		strv_add(argv, "-r");
		strv_add(argv, recipients->v[i]);
	}
}

/* ------------------------------------------------------------------ the thread */

static bool give(void *ctx, void *data, size_t cap, size_t *got, struct err *err)
{
	struct age *a = ctx;
	bool ok = a->pull ? a->pull(a->ctx, data, cap, got, err) : queue_read(a->queue, data, cap, got, err);

	a->read_all = ok && *got == 0;
	return ok;
}

static bool take(void *ctx, const void *data, size_t len, struct err *err)
{
	struct age *a = ctx;

	return a->on_bytes ? a->on_bytes(a->ctx, data, len, err) : queue_write(a->queue, data, len, err);
}

static bool run_age(struct age *a, struct err *err)
{
	const struct proc_spec spec = { .argv = strv_argv(&a->argv),
		                        .envp = strv_argv(&a->envp),
		                        .on_stdin = give,
		                        .on_stdout = take,
		                        .ctx = a };
	struct proc_result result;

	if (!proc_run(&spec, &result, err)) {
		if (a->pull && strstr(result.stderr_tail, "no identity matched"))
			err_recode(err, ERR_BACKUP);
		else if (a->pull && err->code == ERR_PROC)
			err_recode(err, ERR_CORRUPT);
		return false;
	}
	/* A success that has not seen everything is none. */
	return a->read_all || err_set(err, ERR_PROC, "age ended before it had read everything");
}

static void *work(void *arg)
{
	struct age *a = arg;

	a->ok = run_age(a, &a->why);
	if (!a->ok)
		queue_give_up(a->queue, &a->why);
	else if (a->pull)
		queue_end(a->queue);
	return NULL;
}

static struct age *age_new(void *ctx)
{
	struct age *a = mem_new0(sizeof(*a));

	a->ctx = ctx;
	a->queue = queue_new(RING);
	set_environment(&a->envp);
	return a;
}

static bool start(struct age *a, struct age **out, struct err *err)
{
	a->running = thread_start(&a->thread, work, a, err);
	if (!a->running) {
		age_free(a);
		return false;
	}
	*out = a;
	return true;
}

static void join(struct age *a)
{
	if (a->running)
		pthread_join(a->thread, NULL);
	a->running = false;
}

void age_free(struct age *a)
{
	struct err given_up = ERR_INIT;

	if (!a)
		return;
	err_set(&given_up, ERR_BACKUP, "the stream was given up");
	queue_give_up(a->queue, &given_up);
	join(a);
	queue_free(a->queue);
	strv_clear(&a->argv);
	strv_clear(&a->envp);
	free(a);
}

/* ------------------------------------------------------------------ both directions */

bool age_encrypt_new(const struct strv *recipients, age_on_bytes *on_bytes, void *ctx, struct age **out,
                     struct err *err)
{
	struct age *a = age_new(ctx);

	a->on_bytes = on_bytes;
	if (!find_age(&a->argv, err)) {
		age_free(a);
		return false;
	}
	add_recipients(&a->argv, recipients);
	return start(a, out, err);
}

bool age_encrypt_write(struct age *a, const void *data, size_t len, struct err *err)
{
	return queue_write(a->queue, data, len, err);
}

bool age_encrypt_finish(struct age *a, struct err *err)
{
	queue_end(a->queue);
	join(a);
	if (!a->ok)
		*err = a->why;
	return a->ok;
}

bool age_decrypt_new(const char *identity, age_pull *pull, void *ctx, struct age **out, struct err *err)
{
	struct age *a = age_new(ctx);

	a->pull = pull;
	if (!find_age(&a->argv, err)) {
		age_free(a);
		return false;
	}
	strv_add(&a->argv, "-d");
	strv_add(&a->argv, "-i");
	strv_add(&a->argv, identity);
	return start(a, out, err);
}

bool age_decrypt_read(struct age *a, void *data, size_t cap, size_t *got, struct err *err)
{
	return queue_read(a->queue, data, cap, got, err);
}

/* ------------------------------------------------------------------ small questions */

static bool keep(void *ctx, const void *data, size_t len, struct err *err)
{
	struct buf *b = ctx;

	if (len > b->max - b->len)
		return err_set(err, ERR_PROC, "age has said more than it should");
	buf_add(b, data, len);
	return true;
}

static const char probe[] = "ripcord";

static bool encrypt_probe(const struct strv *recipients, struct buf *out, struct err *err)
{
	struct age *a;

	if (!age_encrypt_new(recipients, keep, out, &a, err))
		return false;
	bool ok = age_encrypt_write(a, probe, sizeof(probe) - 1, err) && age_encrypt_finish(a, err);
	age_free(a);
	return ok;
}

static bool pull_buf(void *ctx, void *data, size_t cap, size_t *got, struct err *err)
{
	struct buf *b = ctx; /* max: how much of it is left */

	(void)err;
	*got = b->max < cap ? b->max : cap;
	memcpy(data, b->data + b->len - b->max, *got);
	b->max -= *got;
	return true;
}

static bool decrypt_probe(const struct buf *in, const char *identity, struct err *err)
{
	struct buf rest = { .data = in->data, .len = in->len, .max = in->len };
	char back[sizeof(probe)] = "";
	size_t got = 0, end = 1;
	struct age *a;

	if (!age_decrypt_new(identity, pull_buf, &rest, &a, err))
		return false;
	bool ok = age_decrypt_read(a, back, sizeof(back) - 1, &got, err) &&
	          age_decrypt_read(a, back + got, sizeof(back) - got, &end, err);
	age_free(a);
	return ok && ((end == 0 && strcmp(back, probe) == 0) ||
	              err_set(err, ERR_BACKUP, "age gave other bytes back than it was given"));
}

bool age_try(const struct strv *recipients, const char *identity, struct err *err)
{
	cleanup_buf struct buf stored = BUF_INIT(1 << 20);
	bool ok = encrypt_probe(recipients, &stored, err) &&
	          (!identity || decrypt_probe(&stored, identity, err));

	if (!ok && (err->code == ERR_PROC || err->code == ERR_CORRUPT))
		err_recode(err, ERR_BACKUP);
	return ok;
}

bool age_version(char **out, struct err *err)
{
	cleanup_strv struct strv argv = STRV_INIT, envp = STRV_INIT;
	cleanup_buf struct buf said = BUF_INIT(4096);
	struct proc_result result;

	if (!find_age(&argv, err))
		return false;
	strv_add(&argv, "--version");
	set_environment(&envp);
	const struct proc_spec spec = {
		.argv = strv_argv(&argv), .envp = strv_argv(&envp), .on_stdout = keep, .ctx = &said
	};
	if (!proc_run(&spec, &result, err))
		return false;
	cleanup_free char *text = buf_take(&said);
	*out = mem_strdup(text_trim(text));
	return true;
}
