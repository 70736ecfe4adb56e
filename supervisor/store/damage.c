#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ipc/base/buf.h"
#include "supervisor/store/damage.h"

#define MARK	"damaged"

static const int	 faults[] = { SIGBUS, SIGSEGV };

/* What a signal handler can use: nothing that has to be allocated or locked. */
static struct {
	char			 mark[4096];
	const char		*map;
	size_t			 size;
	struct sigaction	 before[NELEM(faults)];
	bool			 on;
} guard;

static void
put_mark(const char *path)
{
	int	 fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	if (fd != -1) {
		(void)fsync(fd);
		(void)close(fd);
	}
}

void
damage_mark(const char *store_path)
{
	struct buf	 path = { 0 };

	buf_printf(&path, "%s/" MARK, store_path);
	if (!path.oom)
		put_mark(buf_cstr(&path));
	buf_free(&path);
}

bool
damage_is_marked(const char *store_path)
{
	struct buf	 path = { 0 };
	bool		 is;

	buf_printf(&path, "%s/" MARK, store_path);
	is = !path.oom && access(buf_cstr(&path), F_OK) == 0;
	buf_free(&path);
	return is;
}

static void
say(void)
{
	static const char	 text[] = "eds: the store is damaged: this process has to end. Start it again: it keeps what can be "
	    "read and names what cannot\n";

	(void)!write(STDERR_FILENO, text, sizeof(text) - 1);
}

/* Back to what was there before: the access is repeated and ends the process as it should. */
static void
on_fault(int sig, siginfo_t *info, void *context)
{
	const char	*at = info->si_addr;

	(void)context;
	if (guard.on && at >= guard.map && at < guard.map + guard.size) {
		put_mark(guard.mark);
		say();
	}
	for (size_t i = 0; i < NELEM(faults); i++)
		if (faults[i] == sig)
			(void)sigaction(sig, &guard.before[i], NULL);
}

static void
on_assertion(MDB_env *env, const char *message)
{
	(void)env;
	put_mark(guard.mark);
	(void)fprintf(stderr, "eds: lmdb: %s\n", message);
	say();
}

void
damage_guard(MDB_env *env, const char *store_path, const void *map, size_t size)
{
	struct sigaction	 sa = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };

	damage_unguard();
	(void)snprintf(guard.mark, sizeof(guard.mark), "%s/" MARK, store_path);
	guard.map = map;
	guard.size = map == NULL ? 0 : size;
	(void)mdb_env_set_assert(env, on_assertion);
	for (size_t i = 0; i < NELEM(faults); i++)
		(void)sigaction(faults[i], &sa, &guard.before[i]);
	guard.on = true;
}

void
damage_unguard(void)
{
	if (!guard.on)
		return;
	guard.on = false;
	for (size_t i = 0; i < NELEM(faults); i++)
		(void)sigaction(faults[i], &guard.before[i], NULL);
}
