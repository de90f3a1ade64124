<?php
/**
 * Lists the accounts that the co-op should know of: those of its people, and those
 * that let in without the panel and are administrators, have application passwords,
 * or were in the hands of one of its people. Asks the tables alone: WordPress and
 * the site's plugins are not loaded.
 */

require __DIR__ . '/lib.php';

/** More than these are not listed: the worker keeps 64 KiB of an answer. */
const MOST = 200;

if (!installed()) {
    print_json(['accounts' => []]);
    exit(0);
}

$found = database()->query("SELECT u.ID, u.user_login, m.meta_key, m.meta_value FROM wp_users AS u JOIN wp_usermeta AS m ON m.user_id = u.ID
    WHERE m.meta_key IN ('chatiere_subject', 'chatiere_issuer', 'chatiere_touched_by', '_application_passwords')
       OR m.meta_key = 'wp_capabilities' AND m.meta_value LIKE '%administrator%'
    ORDER BY u.ID");
$users = [];
foreach ($found as $row) {
    $users[$row['ID']] ??= ['login' => $row['user_login'], 'meta' => []];
    $users[$row['ID']]['meta'][$row['meta_key']][] = $row['meta_value'];
}
$accounts = [];
foreach ($users as $id => ['login' => $login, 'meta' => $meta]) {
    $account = account($login, $meta);
    // The account that the site was made with: nobody uses it as it is.
    $untouched = $id === 1 && $login === 'chatiere' && $account['keys'] === 0 && $account['people'] === [];
    if (!$untouched && ($account['administrator'] || $account['keys'] > 0 || $account['people'] !== [])) {
        $accounts[] = $account;
    }
}
print_json(['accounts' => array_slice($accounts, 0, MOST)]);

function account(string $login, array $meta): array
{
    $subject = $meta['chatiere_subject'][0] ?? '';
    $people = $subject !== '' ? [[$meta['chatiere_issuer'][0] ?? '', $subject]]
        : array_map(static fn (string $one): array => explode(' ', $one, 2) + ['', ''], array_slice($meta['chatiere_touched_by'] ?? [], 0, 5));
    return [
        'login' => $login,
        'local' => $subject === '',
        'administrator' => !empty(stored($meta['wp_capabilities'][0] ?? '')['administrator']),
        'keys' => count(stored($meta['_application_passwords'][0] ?? '')),
        'people' => array_map(static fn (array $one): array => ['iss' => $one[0], 'sub' => $one[1]], $people),
    ];
}

function stored(string $value): array
{
    $read = @unserialize($value, ['allowed_classes' => false]);
    return is_array($read) ? $read : [];
}
