<?php
/** Tells how the site is, in one line of JSON; ends with 1 when something is wrong. */

require __DIR__ . '/lib.php';

$checks = ['database' => false, 'installed' => false, 'schema' => false, 'writable' => false];
$faults = [];
try {
    $checks['database'] = database()->ping();
    $checks['installed'] = installed();
    $checks['schema'] = $checks['installed'] && (int) option('db_version') === code_version()['schema'];
} catch (mysqli_sql_exception $fault) {
    $faults[] = $fault->getMessage();
}
$checks['writable'] = is_writable(data_dir() . '/wp-content/uploads') && is_writable(data_dir() . '/tmp');

$healthy = !in_array(false, $checks, true);
print_json([
    'healthy' => $healthy,
    'checks' => $checks,
    'maintenance' => file_exists(data_dir() . '/.maintenance'),
    'free_bytes' => (int) disk_free_space(data_dir()),
    'faults' => $faults,
]);
exit($healthy ? 0 : 1);
