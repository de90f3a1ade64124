<?php
/** application-password.php <user> <name>: prints a new application password. The last of the same name is revoked. */

require __DIR__ . '/lib.php';

[, $login, $name] = $argv + [null, null, null];
if ($login === null || $name === null) {
    fail('usage: application-password.php <user> <name>', 2);
}
if (!installed()) {
    fail('the site is not installed');
}
require __DIR__ . '/load.php';

$user = get_user_by('login', $login);
if (!$user) {
    fail("no user is called $login");
}
foreach (WP_Application_Passwords::get_user_application_passwords($user->ID) as $known) {
    if ($known['name'] === $name) {
        WP_Application_Passwords::delete_application_password($user->ID, $known['uuid']);
    }
}
$made = WP_Application_Passwords::create_new_application_password($user->ID, ['name' => $name]);
if (is_wp_error($made)) {
    fail('making the password: ' . $made->get_error_message());
}
echo $made[0], "\n";
