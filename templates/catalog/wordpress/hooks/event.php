<?php
/**
 * event.php <time> <hook> <key>: runs one scheduled event of WordPress. Its exit codes are in events.php. Without a hook it
 * only loads WordPress.
 */

require __DIR__ . '/lib.php';
require __DIR__ . '/events.php';

if ($argc !== 4) {
    fail('usage: event.php <time> <hook> <key>', 2);
}
Chatiere_Event::take($argv[2]);
define('DOING_CRON', true);
ob_start();
require __DIR__ . '/load.php';
Chatiere_Event::run($argv[1], $argv[2], $argv[3]);

final class Chatiere_Event
{
    /** @var resource the record, locked until the process ends */
    private static $record;
    /** What the process's end means now. */
    private static int $outcome = EVENT_NOT_LOADED;
    private static string $why = 'exit';
    private static string $said = '';

    /** Takes the hook for this process, or ends: it runs already. */
    public static function take(string $hook): void
    {
        self::$record = record_open($hook);
        if (!flock(self::$record, LOCK_EX | LOCK_NB)) {
            exit(EVENT_DONE);
        }
        record_write(self::$record, ['hook' => $hook] + record_read(self::$record));
        pcntl_async_signals(true);
        pcntl_signal(SIGTERM, static function (): void {
            self::$why = 'time';
            exit(EVENT_DIED);
        });
        set_exception_handler(static function (Throwable $fault): void {
            [self::$why, self::$said] = ['fatal', $fault->getMessage()];
            fwrite(STDERR, $fault->getMessage() . "\n");
        });
        register_shutdown_function(self::ended(...));
    }

    public static function run(string $time, string $hook, string $key): never
    {
        $event = _get_cron_array()[(int) $time][$hook][$key] ?? null;
        if ($event !== null) { // else somebody took it off the plan meanwhile, or there was none
            self::begin($hook);
            if ($event['schedule']) {
                wp_reschedule_event((int) $time, $event['schedule'], $hook, $event['args']);
            }
            wp_unschedule_event((int) $time, $hook, $event['args']);
            do_action_ref_array($hook, $event['args']);
        }
        @unlink(records_dir() . '/' . md5($hook));
        self::$outcome = EVENT_DONE;
        exit(EVENT_DONE);
    }

    private static function begin(string $hook): void
    {
        $record = record_read(self::$record);
        record_write(self::$record, ['times' => $record['times'] + 1, 'why' => 'killed', 'said' => ''] + $record);
        self::$outcome = EVENT_DIED;
    }

    /** The first of what PHP calls at its end, however it came to it. The exit code is set by the last one. */
    private static function ended(): void
    {
        $last = error_get_last();
        if ($last !== null && ($last['type'] & (E_ERROR | E_PARSE | E_CORE_ERROR | E_COMPILE_ERROR | E_USER_ERROR | E_RECOVERABLE_ERROR))) {
            [self::$why, self::$said] = ['fatal', (string) strtok($last['message'], "\n")];
        }
        if (self::$outcome === EVENT_DIED) {
            record_write(self::$record, ['why' => self::$why, 'said' => mb_substr(self::$said, 0, 300)] + record_read(self::$record));
        }
        register_shutdown_function(static fn () => exit(self::$outcome));
    }
}
