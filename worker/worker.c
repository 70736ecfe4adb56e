/* Where the main thread and the driver thread meet. */

#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "worker/worker.h"

int
worker_init(struct worker *w, struct err *err)
{
	pthread_condattr_t	 attr;

	*w = (struct worker){ 0 };
	(void)pthread_mutex_init(&w->lock, NULL);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&w->wake, &attr);
	(void)pthread_condattr_destroy(&attr);
	if ((w->flow_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) == -1)
		return err_sys(err, "eventfd");
	return (w->report = report_new(err)) == NULL ? -1 : 0;
}

void
worker_free(struct worker *w)
{
	intake_free(&w->intake);
	tasks_free(&w->tasks);
	free(w->answer.table);
	free(w->answer.version);
	free(w->answer.json);
	report_free(&w->report);
	settings_free(&w->settings);
	if (w->flow_fd != -1)
		(void)close(w->flow_fd);
	(void)pthread_cond_destroy(&w->wake);
	(void)pthread_mutex_destroy(&w->lock);
}

void
worker_lock(struct worker *w)
{
	(void)pthread_mutex_lock(&w->lock);
}

void
worker_unlock(struct worker *w)
{
	(void)pthread_mutex_unlock(&w->lock);
}

/* Locked: the driver thread, wherever it waits. */
static void
wake(struct worker *w)
{
	uint64_t	 one = 1;

	(void)pthread_cond_broadcast(&w->wake);
	if (!w->flow_waits)
		return;
	w->flow_waits = false;
	if (write(w->flow_fd, &one, sizeof(one)) == -1)
		bug("an eventfd that cannot be written to");
}

void
worker_ask_end(struct worker *w, enum worker_end end)
{
	worker_lock(w);
	if (end > w->end)
		w->end = end;
	wake(w);
	worker_unlock(w);
}

enum worker_end
worker_end(struct worker *w)
{
	enum worker_end	 end;

	worker_lock(w);
	end = w->end;
	worker_unlock(w);
	return end;
}

void
worker_wake(struct worker *w)
{
	worker_lock(w);
	wake(w);
	worker_unlock(w);
}

void
worker_wait(struct worker *w, uint64_t us)
{
	struct timespec	 at;

	if (us == UINT64_MAX) {
		(void)pthread_cond_wait(&w->wake, &w->lock);
		return;
	}
	(void)clock_gettime(CLOCK_MONOTONIC, &at);
	at.tv_sec += (time_t)(us / 1000000);
	at.tv_nsec += (long)(us % 1000000) * 1000;
	if (at.tv_nsec >= 1000000000) {
		at.tv_nsec -= 1000000000;
		at.tv_sec++;
	}
	(void)pthread_cond_timedwait(&w->wake, &w->lock, &at);
}

bool
worker_pause(struct worker *w, uint64_t ms)
{
	uint64_t	 until = mono_us() + ms * 1000, now;
	bool		 goes_on;

	worker_lock(w);
	while (w->end == WORKER_GOES_ON && (now = mono_us()) < until)
		worker_wait(w, until - now);
	goes_on = w->end == WORKER_GOES_ON;
	worker_unlock(w);
	return goes_on;
}

void
worker_finish(struct worker *w, enum worker_exit code)
{
	worker_lock(w);
	w->finished = true;
	w->exit = code;
	worker_unlock(w);
	report_nudge(w->report);
}

void
worker_call_begins(struct worker *w)
{
	w->busy_since = mono_now();
}

void
worker_call_ends(struct worker *w)
{
	w->busy_since = 0;
}

uint64_t
worker_busy_ms(struct worker *w)
{
	mono_t	 since = w->busy_since, now = mono_now();

	return since == 0 || now <= since ? 0 : (uint64_t)(now - since);
}
