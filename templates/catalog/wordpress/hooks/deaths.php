<?php
/** Processes that were killed: pages end with an error then, and nobody is told. */

/** How long it is told, in seconds. */
const DEATHS_MEMORY = 86400;

/**
 * How often a page's PHP ended without an answer in the last day, as nginx noted it (nginx.conf), and how often a process
 * was killed because the container's memory was used up.
 *
 * @return array{deaths: int, out_of_memory: int}
 */
function deaths(): array
{
    return [
        'deaths' => recent(data_dir() . '/tmp/nginx/died'),
        'out_of_memory' => recent(note_kills(data_dir() . '/tmp/cron.oom')),
    ];
}

/** The engine counts since the container's start; each increase is noted with its time. */
function note_kills(string $path): string
{
    $counters = @file_get_contents('/sys/fs/cgroup/memory.events') ?: @file_get_contents('/sys/fs/cgroup/memory/memory.oom_control');
    $now = preg_match('/^oom_kill (\d+)$/m', (string) $counters, $found) ? (int) $found[1] : 0;
    $seen = (int) @file_get_contents("$path.seen");
    if ($now !== $seen) {
        // Less than before: the container is a new one.
        $more = min($now < $seen ? $now : $now - $seen, 100);
        file_put_contents($path, str_repeat(time() . "\n", $more), FILE_APPEND);
        file_put_contents("$path.seen", (string) $now);
    }
    return $path;
}

/** Counts the lines of the last day; a file that has grown is emptied. */
function recent(string $path): int
{
    $text = is_file($path) ? (string) file_get_contents($path, length: 1 << 16) : '';
    if (strlen($text) >= 1 << 16) {
        file_put_contents($path, ''); // nginx appends, so it goes on at the beginning
    }
    return count(array_filter(explode("\n", $text), static fn (string $line): bool => (float) $line > time() - DEATHS_MEMORY));
}
