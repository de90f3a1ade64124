<?php
/** Runs what is due. The pages never do: DISABLE_WP_CRON is set. */

require __DIR__ . '/lib.php';

if (!installed()) {
    fail('the site is not installed');
}
if (!lock('cron', wait: false)) {
    print_json(['ran' => 0, 'busy' => true]);
    exit(0);
}
if (!due()) {
    print_json(['ran' => 0]);
    exit(0);
}
define('DOING_CRON', true);
ob_start();
require __DIR__ . '/load.php';

$ran = 0;
$events = wp_get_ready_cron_jobs();
foreach ($events as $time => $hooks) {
    foreach ($hooks as $hook => $instances) {
        foreach ($instances as $event) {
            if ($event['schedule']) {
                wp_reschedule_event($time, $event['schedule'], $hook, $event['args']);
            }
            wp_unschedule_event($time, $hook, $event['args']);
            do_action_ref_array($hook, $event['args']);
            $ran++;
        }
    }
}
ob_end_clean();
print_json(['ran' => $ran]);

/** Whether WordPress need be loaded at all: most turns find nothing due, and loading it takes ten times as long as asking. */
function due(): bool
{
    $events = @unserialize((string) option('cron'), ['allowed_classes' => false]);
    $times = is_array($events) ? array_filter(array_keys($events), is_int(...)) : [];
    return $times === [] || min($times) <= time(); // one that has no plan at all gets its first from WordPress
}
