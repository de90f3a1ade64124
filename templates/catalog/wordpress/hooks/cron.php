<?php
/**
 * Starts what is due, each event in a process of its own (event.php), so that one that dies or takes long delays no other.
 * The pages never do: DISABLE_WP_CRON is set. Prints what went wrong, for the worker.
 */

require __DIR__ . '/lib.php';
require __DIR__ . '/events.php';
require __DIR__ . '/deaths.php';

/** Processes at a time; an event that failed before leaves the last place to others. */
const PLACES = 3;
/** Seconds after which nobody waits for an event any more. */
const SLOW = 20;
/** Seconds that one event may take at most: it outlives this turn then. */
const LIMIT = 600;
/** Seconds after which this turn starts no more: the next one comes after five minutes. */
const TURN = 270;
/** How often in a row an event fails before people are told. */
const PATIENCE = 3;

if (!installed()) {
    fail('the site is not installed');
}
if (!lock('cron', wait: false)) {
    print_json(['ran' => 0, 'busy' => true]);
    exit(0);
}
$ran = run_due();
print_json(['ran' => $ran, 'failing' => failing()] + deaths());

function run_due(): int
{
    [$end, $running, $started] = [time() + TURN, [], []];
    while (true) {
        $running = array_filter($running, still_runs(...));
        $waited_for = array_filter($running, static fn (array $event): bool => $event['since'] > time() - SLOW);
        if ($waited_for !== []) {
            usleep(20_000);
            continue;
        }
        $next = time() < $end ? next_event($started, count($running)) : null;
        if ($next === null) {
            return count($started);
        }
        $started[implode(' ', $next)] = true;
        $running[] = start_event(...$next);
    }
}

/** @return array{string, string, string}|null time, hook and key of the event that should be started now */
function next_event(array $started, int $running): ?array
{
    $planned = planned();
    $known = records($planned);
    $best = null;
    foreach ($planned as $hook => $events) {
        [$record, $runs] = $known[$hook] ?? [['times' => 0], false];
        $places = $record['times'] > 0 ? PLACES - 1 : PLACES;
        foreach ($runs || $running >= $places ? [] : $events as [$time, $key]) {
            if ($time <= time() && !isset($started["$time $hook $key"])) {
                $candidate = [min($record['times'], 1), $time, (string) $hook, $key]; // those that went well go first
                $best = $best === null ? $candidate : min($best, $candidate);
            }
        }
    }
    // A site without any plan gets its first one when WordPress is loaded.
    $first = $planned === [] && $started === [] ? ['0', '', ''] : null;
    return $best === null ? $first : [(string) $best[1], $best[2], $best[3]];
}

function start_event(string $time, string $hook, string $key): array
{
    $error = tmpfile() ?: fail('opening a file for errors failed');
    $null = ['file', '/dev/null', 'r+'];
    $command = ['timeout', '-k', '5', (string) LIMIT, PHP_BINARY, __DIR__ . '/event.php', $time, $hook, $key];
    $process = proc_open($command, [$null, $null, $error], $pipes) ?: fail('starting an event failed');
    return ['process' => $process, 'error' => $error, 'since' => time(), 'hook' => $hook];
}

/** Ends the turn when WordPress itself does not load: no other event would fare better. */
function still_runs(array $event): bool
{
    $status = proc_get_status($event['process']);
    if (!$status['running'] && $status['exitcode'] === EVENT_NOT_LOADED) {
        rewind($event['error']);
        fail("WordPress did not load: " . mb_substr(trim((string) stream_get_contents($event['error'], 2000)), 0, 500));
    }
    return $status['running'];
}

/** @return list<array{hook: string, times: int, why: string, said: string}> the worst first */
function failing(): array
{
    $failing = [];
    foreach (records(planned()) as [$record, $runs]) {
        $record['times'] -= $runs ? 1 : 0; // it was counted before it began
        if ($record['times'] >= PATIENCE) {
            $failing[] = ['hook' => mb_substr($record['hook'], 0, 100)] + $record;
        }
    }
    usort($failing, static fn (array $a, array $b): int => [$b['times'], $a['hook']] <=> [$a['times'], $b['hook']]);
    return array_slice($failing, 0, 10);
}
