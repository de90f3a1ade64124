<#-- As in keycloak.v2, with labels that belong to their fields and a picture that is described. -->
<#import "template.ftl" as layout>
<#import "password-commons.ftl" as passwordCommons>
<#macro hint name id>
  <#if messagesPerField.existsError(name)>
  <p id="${id}" class="field-error" role="alert">${messagesPerField.get(name)}</p>
  </#if>
</#macro>
<@layout.registrationLayout displayMessage=!messagesPerField.existsError('totp','userLabel'); section>
<#if section = "header">${msg("loginTotpTitle")}
<#elseif section = "form">
<p class="intro">${msg("chatiereTotpWhy")}</p>
<ol class="steps" id="kc-totp-settings">
  <li><p>${msg("loginTotpStep1")}</p>
    <ul id="kc-totp-supported-apps"><#list totp.supportedApplications as app><li>${msg(app)}</li></#list></ul></li>
  <#if mode?? && mode = "manual">
  <li><p>${msg("loginTotpManualStep2")}</p>
    <p><code id="kc-totp-secret-key">${totp.totpSecretEncoded}</code></p>
    <p><a href="${totp.qrUrl}" id="mode-barcode">${msg("loginTotpScanBarcode")}</a></p></li>
  <li><p>${msg("loginTotpManualStep3")}</p>
    <ul>
      <li id="kc-totp-type">${msg("loginTotpType")} ${msg("loginTotp." + totp.policy.type)}</li>
      <li id="kc-totp-algorithm">${msg("loginTotpAlgorithm")} ${totp.policy.getAlgorithmKey()}</li>
      <li id="kc-totp-digits">${msg("loginTotpDigits")} ${totp.policy.digits}</li>
      <li id="kc-totp-period">${msg("loginTotpInterval")} ${totp.policy.period}</li>
    </ul></li>
  <#else>
  <li><p>${msg("loginTotpStep2")}</p>
    <img id="kc-totp-secret-qr-code" src="data:image/png;base64, ${totp.totpSecretQrCode}" width="200" height="200" alt="${msg("chatiereQrAlt")}">
    <p><a href="${totp.manualUrl}" id="mode-manual">${msg("loginTotpUnableToScan")}</a></p></li>
  </#if>
  <li><p>${msg("loginTotpStep3")}</p></li>
</ol>
<form action="${url.loginAction}" class="form" id="kc-totp-settings-form" method="post" novalidate>
  <div class="field">
    <label class="field-label" for="totp">${msg("authenticatorCode")}</label>
    <span class="control"><input type="text" required id="totp" name="totp" autocomplete="one-time-code" inputmode="numeric"
      <#if messagesPerField.existsError('totp')>aria-invalid="true" aria-describedby="input-error-otp-code"</#if>></span>
    <@hint name="totp" id="input-error-otp-code"/>
  </div>
  <div class="field">
    <label class="field-label" for="userLabel">${msg("loginTotpDeviceName")}</label>
    <span class="control"><input type="text" id="userLabel" name="userLabel" autocomplete="off"
      <#if messagesPerField.existsError('userLabel')>aria-invalid="true" aria-describedby="input-error-otp-label"</#if>></span>
    <p class="hint">${msg("loginTotpStep3DeviceName")}</p>
    <@hint name="userLabel" id="input-error-otp-label"/>
  </div>
  <input type="hidden" id="totpSecret" name="totpSecret" value="${totp.totpSecret}">
  <#if mode??><input type="hidden" id="mode" name="mode" value="${mode}"></#if>
  <div class="field"><@passwordCommons.logoutOtherSessions/></div>
  <div class="actions">
    <button type="submit" class="button primary block" id="saveTOTPBtn">${msg("doSubmit")}</button>
    <#if isAppInitiatedAction??>
    <button type="submit" class="button secondary block" id="cancelTOTPBtn" name="cancel-aia" value="true">${msg("doCancel")}</button>
    </#if>
  </div>
</form>
</#if>
</@layout.registrationLayout>
