#Requires -Version 5.1
#Requires -RunAsAdministrator
<#
.SYNOPSIS
Removes Tillmate from Windows. Leaves only the data folder C:\ProgramData\Tillmate\data.

.DESCRIPTION
WRITTEN, NOT RUN: this script was written on Linux and has been parsed, but not one line of it has been executed on
Windows.

.PARAMETER Purge
Removes the data folder too. Sales in it that the server has not had yet are lost for ever.
#>
[CmdletBinding()]
param([switch]$Purge)
Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'

$HomeFolder = Join-Path $env:ProgramFiles 'Tillmate'
$DataFolder = Join-Path $env:ProgramData 'Tillmate'
$StateFolder = Join-Path $DataFolder 'data'
$TaskName = 'Tillmate'

if (Get-ScheduledTask -TaskName $TaskName -ErrorAction SilentlyContinue) {
    Disable-ScheduledTask -TaskName $TaskName | Out-Null
    Stop-ScheduledTask -TaskName $TaskName
    Unregister-ScheduledTask -TaskName $TaskName -Confirm:$false
}

$current = Join-Path $HomeFolder 'current'
# The task's own program is cmd.exe; what it started must not outlive it.
Get-CimInstance Win32_Process | Where-Object { $_.CommandLine -like "*$current\*" -and $_.ProcessId -ne $PID } |
    ForEach-Object { Stop-Process -Id $_.ProcessId -Force -ErrorAction SilentlyContinue }

# The junction first and by itself: a recursive delete must not follow it.
if (Test-Path $current) { (Get-Item $current).Delete() }
if (Test-Path $HomeFolder) { Remove-Item $HomeFolder -Recurse -Force }

if ($Purge) {
    if (Test-Path $DataFolder) { Remove-Item $DataFolder -Recurse -Force }
    Write-Host 'Tillmate: removed with all its data.'
    return
}

if (Test-Path $DataFolder) {
    # The last configuration goes into the data folder: whoever installs again will want it.
    $config = Join-Path $DataFolder 'config.toml'
    if ((Test-Path $config) -and (Test-Path $StateFolder)) { Move-Item $config (Join-Path $StateFolder 'config.toml.uninstalled') -Force }
    Get-ChildItem $DataFolder | Where-Object { $_.FullName -ne $StateFolder } | ForEach-Object { Remove-Item $_.FullName -Recurse -Force }
}
Write-Host "Tillmate: removed. The data stays in $StateFolder; uninstall.ps1 -Purge removes it too."
