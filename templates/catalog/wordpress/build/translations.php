<?php
/**
 * Prepares the translations while the image is built: each .mo also as PHP, which
 * the opcode cache can share between processes, and the strings of each script
 * as JSON, which Debian's packages leave out (without them the block editor
 * would speak English).
 *
 * Usage: php translations.php <WordPress directory>
 */

$root = rtrim($argv[1], '/') . '/';
foreach (['translation-file', 'translation-file-mo', 'translation-file-php', 'translations', 'translation-controller'] as $part) {
    require "{$root}wp-includes/l10n/class-wp-$part.php";
}
// The only function of WordPress that reading a .mo asks for.
function wp_trigger_error($function, $message): void
{
    fwrite(STDERR, "$function: $message\n");
    exit(1);
}
require "{$root}wp-includes/compat.php";

/** The literal calls __('…'), _x('…', '…'), _n('…', …) of a script, as keys of a .mo. */
function script_keys(string $source): array
{
    $quoted = '(?:\'((?:[^\'\\\\]|\\\\.)*)\'|"((?:[^"\\\\]|\\\\.)*)")';
    $calls = '~\b(__|_x|_n|_nx)\)?\(\s*(?:/\*.*?\*/\s*)?' . $quoted . '(?:\s*,\s*' . $quoted . ')?(?:\s*,[^,"\']+,\s*' . $quoted . ')?~s';
    preg_match_all($calls, $source, $found, PREG_SET_ORDER | PREG_UNMATCHED_AS_NULL);
    $keys = [];
    foreach ($found as $call) {
        [$first, $second, $third] = [literal($call, 2), literal($call, 4), literal($call, 6)];
        $context = ['_x' => $second, '_nx' => $third][$call[1]] ?? null;
        $keys[] = ($context === null ? '' : "$context\4") . $first;
    }
    return array_unique($keys);
}

function literal(array $call, int $group): ?string
{
    $text = $call[$group] ?? $call[$group + 1] ?? null;
    return $text === null ? null : json_decode('"' . strtr($text, ["\\'" => "'", '\\"' => '\\"', '"' => '\\"']) . '"') ?? stripcslashes($text);
}

/** Translations by key; for plurals the key is the singular form. */
function messages(string $mo): array
{
    $messages = [];
    foreach (WP_Translation_File::create($mo)->entries() as $key => $translation) {
        $messages[strtok($key, "\0")] = explode("\0", $translation);
    }
    return $messages;
}

foreach (glob("{$root}wp-content/languages/*.mo") as $mo) {
    $php = WP_Translation_File::transform($mo, 'php');
    file_put_contents(substr($mo, 0, -3) . '.l10n.php', $php);
}

$scripts = [];
$tree = new RecursiveIteratorIterator(new RecursiveDirectoryIterator($root, FilesystemIterator::SKIP_DOTS));
foreach ($tree as $file) {
    $path = substr($file->getPathname(), strlen($root));
    if (preg_match('~^wp-(includes|admin)/.*(?<!\.min)\.js$~', $path)) {
        $scripts[$path] = script_keys(file_get_contents($file->getPathname()));
    }
}
ksort($scripts);

foreach (glob("{$root}wp-content/languages/*.mo") as $mo) {
    if (!preg_match('~/([a-z]{2,3}(?:_[A-Z]{2})?(?:_\w+)?)\.mo$~', $mo, $match)) {
        continue;
    }
    $locale = $match[1];
    $messages = messages($mo) + messages(dirname($mo) . "/admin-$locale.mo");
    $written = 0;
    foreach ($scripts as $path => $keys) {
        $known = array_intersect_key($messages, array_flip($keys));
        if ($known === []) {
            continue;
        }
        $head = ['' => ['domain' => 'messages', 'plural-forms' => 'nplurals=2; plural=n > 1;', 'lang' => $locale]];
        $json = ['domain' => 'messages', 'locale_data' => ['messages' => $head + $known]];
        file_put_contents(
            "{$root}wp-content/languages/$locale-" . md5($path) . '.json',
            json_encode($json, JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES | JSON_THROW_ON_ERROR)
        );
        $written += count($known);
    }
    echo "$locale: $written translations for scripts\n";
    if ($written < 300 && $locale === 'fr_FR') {
        fwrite(STDERR, "too few translations for scripts\n");
        exit(1);
    }
}
