<?php
/**
 * Mail leaves through the loopback port that siteinit forwards to the co-op's
 * relay. It answers at once, or the page must not wait for it.
 */

defined('ABSPATH') || exit;

add_action('phpmailer_init', static function ($mailer): void {
    $mailer->isSMTP();
    $mailer->Host = '127.0.0.1';
    $mailer->Port = 25;
    $mailer->SMTPAuth = false;
    $mailer->SMTPSecure = '';
    $mailer->SMTPAutoTLS = false;
    $mailer->Timeout = 5;
    $mailer->Hostname = wp_parse_url(home_url(), PHP_URL_HOST);
}, PHP_INT_MAX);
