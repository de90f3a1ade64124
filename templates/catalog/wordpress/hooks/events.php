<?php
/**
 * What is remembered of scheduled events: a record for each hook of WordPress that has not ended well, or runs. It is
 * written before the event begins and removed when the event has come back, so that whatever ends the process is counted.
 * Whoever runs the hook holds a lock on it.
 */

/** How an event ends that comes back, that does not, and one that has not begun since WordPress itself did not load. */
const EVENT_DONE = 0;
const EVENT_DIED = 3;
const EVENT_NOT_LOADED = 4;

function records_dir(): string
{
    $dir = data_dir() . '/tmp/cron';
    is_dir($dir) || mkdir($dir, 0700, true) || fail("making $dir failed");
    return $dir;
}

/** @return resource */
function record_open(string $hook)
{
    return fopen(records_dir() . '/' . md5($hook), 'c+e') ?: fail('opening the record of an event failed');
}

/** @return array{hook: string, times: int, why: string, said: string} */
function record_read($file): array
{
    rewind($file);
    $read = json_decode((string) stream_get_contents($file, 1 << 16), true);
    return (is_array($read) ? $read : []) + ['hook' => '', 'times' => 0, 'why' => '', 'said' => ''];
}

function record_write($file, array $record): void
{
    rewind($file);
    ftruncate($file, 0);
    fwrite($file, json_encode($record, JSON_INVALID_UTF8_SUBSTITUTE | JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES));
}

/** Where events stand: hook => [record, whether it runs now]. Those of hooks that nobody plans any more are forgotten. */
function records(array $planned): array
{
    $found = [];
    foreach (glob(records_dir() . '/*') ?: [] as $path) {
        $file = @fopen($path, 'r+');
        if ($file === false) {
            continue;
        }
        $runs = !flock($file, LOCK_EX | LOCK_NB);
        $record = record_read($file);
        if (!$runs && !isset($planned[$record['hook']]) && filemtime($path) < time() - 86400) {
            @unlink($path);
        } else {
            $found[$record['hook']] = [$record, $runs];
        }
        fclose($file);
    }
    return $found;
}

/** What is planned: hook => list of [time, key], from the database alone. */
function planned(): array
{
    $plan = @unserialize((string) option('cron'), ['allowed_classes' => false]);
    $events = [];
    foreach (is_array($plan) ? $plan : [] as $time => $hooks) {
        foreach (is_int($time) && is_array($hooks) ? $hooks : [] as $hook => $instances) {
            foreach (is_array($instances) ? array_keys($instances) : [] as $key) {
                $events[$hook][] = [$time, (string) $key];
            }
        }
    }
    return $events;
}
