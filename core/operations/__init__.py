"""The commands that an operator types: doctor, backup, restore and migrate."""
