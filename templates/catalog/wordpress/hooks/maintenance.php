<?php
/**
 * maintenance.php on|off. WordPress's own ".maintenance" lies in the code, which is
 * read-only here, and is ignored after ten minutes; this one is nginx's.
 */

require __DIR__ . '/lib.php';

$flag = data_dir() . '/.maintenance';
$wanted = $argv[1] ?? '';
if ($wanted === 'on') {
    touch($flag) || fail("writing $flag failed");
} elseif ($wanted === 'off') {
    !file_exists($flag) || unlink($flag) || fail("removing $flag failed");
} else {
    fail('usage: maintenance.php on|off', 2);
}
print_json(['maintenance' => file_exists($flag)]);
